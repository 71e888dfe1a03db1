"""Imports only go down, and never in a circle: the floors of docs/architecture.md, kept by reading every module's AST.

Imports inside functions and under ``TYPE_CHECKING`` count like all others: a circle that is hidden is still a circle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import telephony_agent

ROOT = "telephony_agent"
FLOORS: Mapping[str, int] = {
    "": 0,  # the package itself: its version
    "audio": 0,
    "client": 0,
    "errors": 0,
    "settings": 0,
    "telemetry": 0,
    "carrier": 1,
    "core": 1,
    "engines": 1,
    "sales": 1,
    "store": 1,
    "live": 2,
    "simulator": 3,
    "web": 3,
    "cli": 4,
    "__main__": 5,
}
PURE = {"core", "sales"}
"""Parts that decide what a call does: they get the time and the world handed in."""
IMPURE_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "selectors", "signal", "subprocess", "threading"),
    *("time", "random", "secrets", "logging", "loguru", "warnings"),
    *("http", "httpx", "io", "os", "pathlib", "shutil", "socket", "sqlite3", "sys", "tempfile", "urllib"),
}
IMPURE_BUILTINS = {"breakpoint", "input", "open", "print"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
HEAVY_MODULES = {
    *("torch", "transformers", "tokenizers", "safetensors", "faster_whisper", "ctranslate2", "onnxruntime"),
    *("pyttsx3", "webrtcvad"),
}


# The checker


def part(module: str) -> str:
    """Name the part of the package that a module belongs to: ``telephony_agent.core.playout`` -> ``core``."""
    return module.removeprefix(ROOT).removeprefix(".").partition(".")[0]


def imported(module: str, source: str, modules: Mapping[str, str]) -> Iterator[str]:
    """Yield every module that the source names in an import, wherever the import stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = any(name.startswith(f"{module}.") for name in modules)
                parents = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*parents, *filter(None, [node.module])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield full if full in modules else base


def own_imports(module: str, source: str, modules: Mapping[str, str]) -> set[str]:
    """Keep of a module's imports those of this package, itself excepted."""
    names = imported(module, source, modules)
    return {name for name in names if name == ROOT or name.startswith(f"{ROOT}.")} - {module}


def may_import(importer: str, target: str) -> bool:
    """Say whether one part may import another: a lower one, itself, or on the ground floor its neighbours."""
    if importer == target:
        return True
    if importer == "simulator":
        return FLOORS[target] == 0
    return FLOORS[target] < FLOORS[importer] or FLOORS[importer] == FLOORS[target] == 0


def upward_imports(modules: Mapping[str, str]) -> list[str]:
    """List the imports that don't go down."""
    found = []
    for module, source in modules.items():
        if part(module) not in FLOORS:
            found.append(f"{module} stands on no floor")
            continue
        found += [
            f"{module} imports {target}"
            for target in sorted(own_imports(module, source, modules))
            if part(target) not in FLOORS or not may_import(part(module), part(target))
        ]
    return found


def circles(modules: Mapping[str, str]) -> list[str]:
    """List the circles of imports, each once, by the modules on it."""
    graph = {module: sorted(own_imports(module, source, modules)) for module, source in modules.items()}
    found: set[frozenset[str]] = set()
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            found.add(frozenset(path[path.index(module) :]))
            return
        if module in done:
            return
        for target in graph.get(module, ()):
            visit(target, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())
    return sorted(" <-> ".join(sorted(circle)) for circle in found)


def impurities(modules: Mapping[str, str]) -> list[str]:
    """List what pure modules do that only the shell may: clocks, chance, threads, logs, files, sockets."""
    found = []
    for module, source in modules.items():
        if part(module) not in PURE:
            continue
        names = {name.partition(".")[0] for name in imported(module, source, modules)}
        found += [f"{module} imports {name}" for name in sorted(names & IMPURE_MODULES)]
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS:
                    found.append(f"{module} calls {name}()")
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name)):
                    if (owner, name) in CLOCKS:
                        found.append(f"{module} calls {owner}.{name}()")
    return found


def heavy_imports(modules: Mapping[str, str]) -> list[str]:
    """List the imports of heavy packages outside the engines."""
    return [
        f"{module} imports {name}"
        for module, source in modules.items()
        if part(module) != "engines"
        for name in sorted({name.partition(".")[0] for name in imported(module, source, modules)} & HEAVY_MODULES)
    ]


# The package


@pytest.fixture(scope="module")
def package() -> Mapping[str, str]:
    """Read the source of every module, by its name."""
    folder = Path(telephony_agent.__file__).parent
    return {
        ".".join([ROOT, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__"): path.read_text()
        for path in sorted(folder.rglob("*.py"))
    }


def test_imports_only_go_down(package: Mapping[str, str]) -> None:
    assert upward_imports(package) == []


def test_imports_never_go_in_a_circle(package: Mapping[str, str]) -> None:
    assert circles(package) == []


def test_core_and_sales_are_pure(package: Mapping[str, str]) -> None:
    assert impurities(package) == []


def test_heavy_packages_are_imported_by_engines_only(package: Mapping[str, str]) -> None:
    assert heavy_imports(package) == []


def test_the_whole_package_was_read(package: Mapping[str, str]) -> None:
    assert {ROOT, f"{ROOT}.errors", f"{ROOT}.core", f"{ROOT}.engines.base"} <= package.keys()


# The checker on a package that is made up


def test_an_import_upwards_is_found() -> None:
    modules = {f"{ROOT}.core.flow": f"from {ROOT}.live.leg import Leg", f"{ROOT}.live.leg": ""}
    assert upward_imports(modules) == [f"{ROOT}.core.flow imports {ROOT}.live.leg"]


def test_an_import_of_a_neighbour_is_found() -> None:
    modules = {f"{ROOT}.core.flow": f"import {ROOT}.sales.lead", f"{ROOT}.sales.lead": f"import {ROOT}.errors"}
    assert upward_imports(modules) == [f"{ROOT}.core.flow imports {ROOT}.sales.lead"]


def test_the_simulator_may_share_only_the_ground_floor() -> None:
    source = f"from {ROOT} import audio, core\nfrom {ROOT}.errors import TelephonyAgentError"
    modules = {f"{ROOT}.simulator": source, f"{ROOT}.audio": "", f"{ROOT}.core": "", f"{ROOT}.errors": ""}
    assert upward_imports(modules) == [f"{ROOT}.simulator imports {ROOT}.core"]


def test_a_lazy_import_and_one_for_types_count() -> None:
    source = (
        "if TYPE_CHECKING:\n"
        f"    from {ROOT}.web import app\n"
        "def f():\n"
        f"    import {ROOT}.cli\n"
    )  # fmt: skip
    modules = {f"{ROOT}.live.leg": source, f"{ROOT}.web": "", f"{ROOT}.web.app": "", f"{ROOT}.cli": ""}
    assert upward_imports(modules) == [
        f"{ROOT}.live.leg imports {ROOT}.cli",
        f"{ROOT}.live.leg imports {ROOT}.web.app",
    ]


def test_a_relative_import_is_resolved() -> None:
    modules = {f"{ROOT}.core": "from .flow import x", f"{ROOT}.core.flow": "from ..live import y", f"{ROOT}.live": ""}
    assert upward_imports(modules) == [f"{ROOT}.core.flow imports {ROOT}.live"]


def test_a_module_without_a_floor_is_found() -> None:
    assert upward_imports({f"{ROOT}.helpers": ""}) == [f"{ROOT}.helpers stands on no floor"]


def test_a_circle_is_found_once() -> None:
    modules = {
        f"{ROOT}.core.a": f"from {ROOT}.core import b",
        f"{ROOT}.core.b": f"def f():\n    from {ROOT}.core.c import x",
        f"{ROOT}.core.c": f"import {ROOT}.core.a",
        f"{ROOT}.core.d": f"import {ROOT}.core.a",
    }
    assert circles(modules) == [f"{ROOT}.core.a <-> {ROOT}.core.b <-> {ROOT}.core.c"]


def test_what_reads_the_world_is_found() -> None:
    source = "import time\nfrom os import path\nopen('x')\ndt.datetime.now(utc)\nself.flow.handle(event, now)"
    assert impurities({f"{ROOT}.sales.hours": source, f"{ROOT}.live.leg": source}) == [
        f"{ROOT}.sales.hours imports os",
        f"{ROOT}.sales.hours imports time",
        f"{ROOT}.sales.hours calls open()",
        f"{ROOT}.sales.hours calls datetime.now()",
    ]


def test_a_heavy_import_outside_the_engines_is_found() -> None:
    modules = {f"{ROOT}.cli.doctor": "def f():\n    import torch.cuda", f"{ROOT}.engines.qwen": "import torch"}
    assert heavy_imports(modules) == [f"{ROOT}.cli.doctor imports torch"]
