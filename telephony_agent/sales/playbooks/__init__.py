"""The playbooks that ship with the package, by name; each is a file that a user can copy and edit."""

from __future__ import annotations

from importlib import resources

from telephony_agent.errors import PlaybookError

DEFAULT = "default"


def shipped_playbooks() -> tuple[str, ...]:
    """Return the names of the shipped playbooks, the default one first."""
    folder = resources.files("telephony_agent.sales") / "playbooks"
    names = (file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
    return (DEFAULT, *sorted(names))


def shipped_text(name: str) -> str:
    """Return the text of a shipped playbook.

    Raises:
        PlaybookError: there is none of that name; the message names those that there are.
    """
    if name not in shipped_playbooks():
        raise PlaybookError(f"there is no playbook {name!r}; allowed: {', '.join(shipped_playbooks())}")
    path = "default_playbook.yaml" if name == DEFAULT else f"playbooks/{name}.yaml"
    return (resources.files("telephony_agent.sales") / path).read_text(encoding="utf-8")
