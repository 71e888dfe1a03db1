#!/usr/bin/env python3
"""Compare the judges of turn ends on the lines of the turn-taking suite: rules, the model, silence alone.

Every line with a pause in it is asked about twice: at the pause, where the caller goes on after 200 to 1200 ms (an
agent that waits less takes over), and at its end, where every ms waited is heard as the turn gap. The words are given
as they are written, so that only the judges are compared, not the transcriber. Greeting and system prompt are those of
the default playbook, the model is the one that AGENT_MODELS names (pocket unless set).

    scripts/measure_turn_judges.py
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
VIRTUAL_ENVIRONMENT = ROOT / ".venv"
Wait = Callable[[str], int]
PAUSES_MS = {"pausing": (300, 600, 900, 1200), "trailing": (600, 900, 1200), "corrections": (200, 300, 400, 500)}


def main() -> None:
    """Print the table."""
    python = VIRTUAL_ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) != VIRTUAL_ENVIRONMENT and python.exists():
        os.execv(python, [str(python), *sys.argv])
    os.environ.setdefault("AGENT_MODELS", "pocket")
    sys.path.insert(0, str(ROOT))
    from rich.console import Console
    from rich.table import Table

    from telephony_agent.simulator.suite.lines import load_lines

    lines = load_lines()
    table = Table("judge", *(f"taken over: {family}" for family in PAUSES_MS), "wait at ends: median", "95 %")
    for name, wait in _judges().items():
        taken = []
        for family, pauses_ms in PAUSES_MS.items():
            pauses = [(text, ms) for text in _before_pauses(getattr(lines, family)) for ms in pauses_ms]
            hits = sum(wait(text) < ms for text, ms in pauses)
            taken.append(f"{hits} of {len(pauses)} ({hits / len(pauses):.0%})")
        whole = [" ".join(pieces) for family in PAUSES_MS for pieces in getattr(lines, family)]
        waits = sorted(wait(text) for text in (*lines.questions, *lines.short, *whole))
        table.add_row(name, *taken, f"{median(waits):.0f} ms", f"{waits[int(0.95 * (len(waits) - 1))]} ms")
    Console().print(table)


def _before_pauses(lines: Iterable[tuple[str, ...]]) -> list[str]:
    return [" ".join(pieces[:i]) for pieces in lines for i in range(1, len(pieces))]


def _judges() -> dict[str, Wait]:
    from telephony_agent.cli.build import load_playbook
    from telephony_agent.core.completeness import Expectation, ModelJudge, RuleJudge, SilenceJudge, Waits
    from telephony_agent.engines.base import Message
    from telephony_agent.engines.catalog import model_names
    from telephony_agent.engines.qwen import QwenResponder
    from telephony_agent.sales.phrasebook import SentenceEnds
    from telephony_agent.settings import Settings

    settings = Settings()
    names = model_names(settings.model.models.value, stt_model="", llm_model=settings.model.llm_model)
    session = QwenResponder(names.llm).session()
    playbook = load_playbook(settings.call)
    before = [
        Message(role="system", content=playbook.system_prompt()),
        Message(role="assistant", content=playbook.greeting),
    ]

    def ended(text: str) -> float:
        return session.ended([*before, Message(role="user", content=text)], lambda: False)

    sentences = SentenceEnds.shipped(playbook.language)
    complete, incomplete = ([ended(text) for text in texts] for texts in (sentences.complete, sentences.incomplete))
    rules, model = RuleJudge(), ModelJudge.tried(complete, incomplete, Waits())
    if model is None:
        sys.exit(f"{names.llm} can't tell whether a message is complete: {complete}, {incomplete}")
    print(f"{names.llm}: complete from {model.complete_from:.1%}, incomplete to {model.incomplete_to:.1%}")

    return {
        "rules": lambda text: rules.wait_ms(text, Expectation.OPEN),
        "model and rules": lambda text: model.wait_ms(text, Expectation.OPEN, ended(text)),
        "silence, 520 ms": lambda text: SilenceJudge(520).wait_ms(text, Expectation.OPEN),
        "silence, 1000 ms": lambda text: SilenceJudge(1000).wait_ms(text, Expectation.OPEN),
    }


if __name__ == "__main__":
    main()
