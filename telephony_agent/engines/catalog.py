"""Knows which models a setting means, whether they are on this machine, and how to fetch them.

``pocket`` is the pair that ships inside the package, ``standard`` a pair from the hub. A model is a directory or a name
on the hub; only :func:`pull` and the engines themselves ever go there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

from telephony_agent.errors import ModelLoadError

STANDARD_STT = "base.en"
STANDARD_LLM = "Qwen/Qwen2.5-0.5B-Instruct"

_LLM_FILES = ("*.json", "*.jinja", "*.txt", "*.safetensors")


class Role(StrEnum):
    """What a model is for; the value is the setting that names it."""

    STT = "AGENT_STT_MODEL"
    LLM = "AGENT_LLM_MODEL"


@dataclass(frozen=True, slots=True)
class ModelNames:
    """The two models of a server: directories or names on the hub."""

    stt: str
    llm: str


def model_names(models: str, *, stt_model: str = "", llm_model: str = "") -> ModelNames:
    """Return the models that the settings mean.

    Args:
        models: ``pocket`` or ``standard``.
        stt_model: overrides the transcriber; empty: of the set.
        llm_model: overrides the language model; empty: of the set.
    """
    if models == "pocket":
        chosen = ModelNames(stt=_pocket("whisper"), llm=_pocket("qwen"))
    else:
        chosen = ModelNames(stt=STANDARD_STT, llm=STANDARD_LLM)
    return ModelNames(stt=stt_model or chosen.stt, llm=llm_model or chosen.llm)


def find(role: Role, name: str) -> Path | None:
    """Return the directory of a model that is on this machine, weights included; ``None`` when it isn't."""
    folder = Path(name)
    if not folder.is_dir():
        if folder.is_absolute():
            return None
        try:
            folder = _hub_folder(role, name, local_files_only=True)
        except (OSError, ValueError):  # not in the cache; or no name of a model at all
            return None
    return folder if any(folder.glob("*.safetensors")) or (folder / "model.bin").is_file() else None


def is_present(role: Role, name: str) -> bool:
    """Say whether a model can be loaded without the hub."""
    return find(role, name) is not None


def pull(role: Role, name: str) -> Path:
    """Fetch a model from the hub unless it is here already; return its directory.

    Raises:
        ModelLoadError: it is a directory without weights, or the hub can't be reached or doesn't know it.
    """
    if here := find(role, name):
        return here
    if Path(name).is_absolute() or Path(name).is_dir():
        raise ModelLoadError(
            f"{role.value}={name!r}: there are no weights in this directory, and only names on the hub can be fetched"
        )
    try:
        return _hub_folder(role, name, local_files_only=False)
    except (OSError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelLoadError(
            f"{role.value}={name!r} can't be fetched ({reason}): check the name and the way to the hub, or set "
            "AGENT_MODELS=pocket"
        ) from error


def _pocket(name: str) -> str:
    return str(resources.files("telephony_agent") / "pocket" / name)


def _hub_folder(role: Role, name: str, *, local_files_only: bool) -> Path:
    if role is Role.STT:
        from faster_whisper import download_model

        return Path(download_model(name, local_files_only=local_files_only))
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, local_files_only=local_files_only, allow_patterns=list(_LLM_FILES)))
