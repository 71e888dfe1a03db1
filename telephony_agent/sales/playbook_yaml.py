"""Reads a playbook's YAML so that a mistake in it can be named with its line.

Two things differ from plain YAML 1.1: ``yes`` and ``no`` are words (they are answers of callers), and a key that stands
twice in a mapping is an error instead of the first being forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from telephony_agent.errors import PlaybookError

_BOOL = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own way to say it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(_BOOL, re.compile("true|false"), list("tf"))


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A document and where its parts stand."""

    document: Any
    root: yaml.Node | None

    @classmethod
    def read(cls, text: str) -> YamlSource:
        """Read one YAML document.

        Raises:
            PlaybookError: it isn't YAML; the message tells the line.
        """
        try:
            loader = _Loader(text)
            loader.name = "the playbook"
            try:
                root = loader.get_single_node()
                return cls(loader.construct_document(root) if root is not None else None, root)
            finally:
                loader.dispose()
        except (yaml.YAMLError, RecursionError) as error:
            raise PlaybookError(f"the playbook is not valid YAML: {' '.join(str(error).split())}") from error

    def line(self, path: Sequence[str | int]) -> int | None:
        """Return the line of a part, or of the innermost part around it that is there; None if none is."""
        node, line = self.root, None
        for part in path:
            match node:
                case yaml.MappingNode(value=pairs):
                    found = next(((key, value) for key, value in pairs if key.value == str(part)), None)
                    if found is None:
                        return line
                    line, node = found[0].start_mark.line + 1, found[1]
                case yaml.SequenceNode(value=items) if isinstance(part, int) and part < len(items):
                    node = items[part]
                    line = node.start_mark.line + 1
                case _:
                    return line
        return line
