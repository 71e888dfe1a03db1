"""The project around the code: what is published, promised and documented agrees with what is there."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

import telephony_agent
from telephony_agent import settings

CHECKOUT = Path(__file__).parents[1]
GIT = shutil.which("git")

# Files


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Read every text file that git tracks, or would."""
    if GIT is None or not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = [GIT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split("\0")
    found = {}
    for name in filter(None, names):
        path = CHECKOUT / name
        data = path.read_bytes() if path.is_file() and path.stat().st_size < 2**20 else b"\0"
        if b"\0" not in data:
            found[name] = data.decode()
    return found


def matches(texts: dict[str, str], pattern: str) -> Iterator[tuple[str, str]]:
    """Yield the file and the text of every match."""
    for name, text in texts.items():
        for match in re.finditer(pattern, text):
            yield name, match[0]


def test_no_file_holds_a_path_of_somebodys_machine(texts: dict[str, str]) -> None:
    pattern = r"(?<![\w.~/:}])/(?:home|root|Users|work)/\w+"
    assert list(matches(texts, pattern)) == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"\bSK[0-9a-f]{32}\b",
        r"\bhf_[A-Za-z0-9]{30,}",
        r"\b[0-9A-Za-z]{27}_[0-9A-Za-z]{21}\b",
        r"(?i)(?:auth_?token|secret|password)[\"']?\s*[=:]\s*[\"']?[0-9a-f]{32}\b",
    ],
    ids=["private key", "Twilio API key", "hub token", "ngrok token", "Twilio auth token"],
)
def test_no_file_holds_a_secret(texts: dict[str, str], pattern: str) -> None:
    assert list(matches(texts, pattern)) == []


def test_telephone_numbers_belong_to_nobody(texts: dict[str, str]) -> None:
    of_nobody = re.compile(r"\+1500555\d{4}|\+1\d{3}55501\d{2}")
    published_test_vector = {"+14158675310", "+18005551212"}
    found = {(name, number) for name, number in matches(texts, r"(?<![\w+])\+\d{10,15}\b")}
    strange = {pair for pair in found if not of_nobody.fullmatch(pair[1]) and pair[1] not in published_test_vector}
    assert strange == set()


# Settings


def setting_defaults() -> dict[str, str]:
    """Name every variable that the settings read, with its default as one would write it."""
    defaults = {}
    for section in vars(settings).values():
        if inspect.isclass(section) and issubclass(section, BaseSettings) and section.model_fields:
            for field, info in section.model_fields.items():
                defaults[f"{section.model_config['env_prefix']}{field}".upper()] = written(info.default)
    return defaults


def written(value: object) -> str:
    """Write a default as it stands in ``.env``."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
        case SecretStr():
            return value.get_secret_value()
        case _:
            return str(value)


def test_the_example_environment_names_every_setting_with_its_default() -> None:
    example = re.findall(r"^#?([A-Z_]+)=(.*)$", (CHECKOUT / ".env.example").read_text(), re.MULTILINE)
    assert len(dict(example)) == len(example), "a variable stands twice"
    assert dict(example) == setting_defaults()


# The package


def test_public_names_can_be_imported() -> None:
    names = ["telephony_agent"]
    names += [module.name for module in pkgutil.iter_modules(telephony_agent.__path__, "telephony_agent.")]
    for name in names:
        if name.endswith(".__main__"):
            continue
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            assert hasattr(module, public), f"{name}.{public}"


def test_the_version_is_a_release_in_the_changelog() -> None:
    assert f"## [{telephony_agent.__version__}]" in (CHECKOUT / "CHANGELOG.md").read_text()


def test_the_module_runs_as_a_command() -> None:
    command = [sys.executable, "-m", "telephony_agent", "--help"]
    shown = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout
    assert "serve" in shown
    assert "simulate" in shown


def test_the_console_script_points_at_something_that_can_be_called() -> None:
    scripts = importlib.metadata.distribution("telephony-agent").entry_points
    (script,) = scripts.select(group="console_scripts", name="telephony-agent")
    assert callable(script.load())


# Documents


def documents() -> list[Path]:
    """List the Markdown files for readers."""
    return [*sorted(CHECKOUT.glob("*.md")), *sorted((CHECKOUT / "docs").glob("**/*.md"))]


def anchors(text: str) -> set[str]:
    """Name the anchors of a Markdown file's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *#*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_between_documents_resolve(document: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link
