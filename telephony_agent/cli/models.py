"""``telephony-agent models``: shows which models are on this machine, and fetches those that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from telephony_agent.engines.catalog import ModelNames, Role, find, model_names, pull
from telephony_agent.settings import ModelSet, Settings

app = typer.Typer(no_args_is_help=True, help="Show and fetch the models.")

ModelsOption = Annotated[ModelSet | None, typer.Option("--models", help="This set instead of AGENT_MODELS.")]


@app.command("list")
def list_models(models: ModelsOption = None) -> None:
    """Show the models that the settings name, and the two sets that they can choose from."""
    chosen = _chosen(models)
    listed = dict.fromkeys(
        (role, name)
        for names in (chosen, *(model_names(models.value) for models in ModelSet))
        for role, name in _by_role(names)
    )
    table = Table("", "setting", Column("model", overflow="fold"), Column("on this machine", no_wrap=True))
    for role, name in listed:
        folder = find(role, name)
        mark = "*" if (role, name) in _by_role(chosen) else ""
        table.add_row(mark, role.value, name, _megabytes(folder) if folder else "no")
    console = Console()
    console.print(table)
    console.print("* what the settings name now; `telephony-agent models pull` fetches it")


@app.command("pull")
def pull_models(models: ModelsOption = None) -> None:
    """Fetch the models that the settings name, unless they are here."""
    console = Console()
    for role, name in _by_role(_chosen(models)):
        folder = pull(role, name)
        console.print(f"{role.value}: {name} is here, {_megabytes(folder)}", highlight=False, soft_wrap=True)


def _chosen(models: ModelSet | None) -> ModelNames:
    settings = Settings(**({"AGENT_MODELS": models.value} if models else {})).model
    return model_names(settings.models.value, stt_model=settings.stt_model, llm_model=settings.llm_model)


def _by_role(names: ModelNames) -> tuple[tuple[Role, str], ...]:
    return (Role.STT, names.stt), (Role.LLM, names.llm)


def _megabytes(folder: Path) -> str:
    return f"{sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) / 1e6:.1f} MB"
