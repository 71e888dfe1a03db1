"""What a simulation shows: the call as it goes, a verdict, a table, and one JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from telephony_agent.simulator.account import Account, scored_turns
from telephony_agent.simulator.call import CallResult
from telephony_agent.simulator.events import Event, EventKind
from telephony_agent.simulator.percentile import percentile
from telephony_agent.simulator.scoring import ScoredTurn, mean_word_error_rate
from telephony_agent.simulator.script import Side
from telephony_agent.simulator.stream_record import LATE_MS


class LiveView:
    """Prints a call as it goes: give it every event, and the agent's account whenever there is a newer one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[Any, tuple[str, str]] = {}
        self._at_ms = 0
        self._has_spoken = False

    def follow(self, event: Event) -> None:
        """Show one event."""
        self._at_ms = event.at_ms
        match event.kind:
            case EventKind.RINGS:
                self._line("call", f"rings; the caller plays [bold]{escape(event.text)}[/]")
            case EventKind.ANSWERED:
                self._line("call", "answered")
            case EventKind.AGENT_SPEAKS:
                self._agent_speaks(event.value)
            case EventKind.CALLER_SPEAKS:
                self._line("caller", f"[cyan]{escape(event.text)}[/]")
            case EventKind.CLEARED:
                self._line("agent", f"[yellow]stops[/] [dim]({event.value} ms not played)[/]")
            case EventKind.NOTICE:
                self._line("carrier", f"[dim]{escape(event.text)}[/]")
            case EventKind.ENDED:
                self._line("call", f"ended by {escape(event.text)}")
            case EventKind.STREAM_STARTED | EventKind.AGENT_SILENT | EventKind.CALLER_SILENT | EventKind.VERB:
                pass

    def tell(self, account: Account) -> None:
        """Show what the agent has understood and said since the last account."""
        if account.greeting and not self._told:
            self._line("agent", f"[dim]says:[/] [green]{escape(account.greeting)}[/]")
            self._told[None] = ("", account.greeting)
        for turn in account.turns:
            told = (str(turn.get("transcript") or ""), str(turn.get("reply") or ""))
            before = self._told.get(turn.get("turn"), ("", ""))
            if told[0] and told[0] != before[0]:
                self._line("agent", f"[dim]understood:[/] {escape(told[0])}")
            if told[1] and told[1] != before[1]:
                self._line("agent", f"[dim]says:[/] [green]{escape(told[1])}[/]")
            self._told[turn.get("turn")] = told

    def _agent_speaks(self, gap_ms: int | None) -> None:
        if gap_ms is None:
            self._line("agent", "[green]speaks again[/]")
            return
        what = "gap" if self._has_spoken else "greeting after"
        self._line("agent", f"[green]speaks[/] [dim]({what} {gap_ms} ms)[/]")
        self._has_spoken = True

    def _line(self, who: str, what: str) -> None:
        self._console.print(f"[dim]{self._at_ms / 1000:7.2f} s[/]  {who:<8}{what}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished call, judged. ``recording`` is the file that holds both tracks, if one was asked for."""

    result: CallResult
    account: Account | None
    recording: Path | None = None

    @property
    def turns(self) -> tuple[ScoredTurn, ...]:
        """Every line of the caller's, with what the agent made of it."""
        return scored_turns(self.result, self.account)

    @property
    def greeting_ms(self) -> int | None:
        """From ``start`` to the agent's first audible sound."""
        return self.result.streams[0].measures.greeting_ms if self.result.streams else None

    def problems(self) -> tuple[str, ...]:
        """Say why the call was not as its script wants it; nothing if it was."""
        result, expect = self.result, self.result.script.expect
        found = []
        wanted = ("agent", "caller") if expect.ended_by is Side.ANY else (expect.ended_by.value,)
        if result.ended_by.value not in wanted:
            who = " or ".join(wanted)
            found.append(f"the {who} was to end the call, not {result.ended_by} ({result.end_reason})")
        reason = self.account.end_reason if self.account else ""
        if reason and expect.reasons and reason not in expect.reasons:
            found.append(f"the agent ended the call for the reason {reason}, not {' or '.join(expect.reasons)}")
        if result.gave_up:
            found.append(f"the caller gave up: {result.gave_up}")
        if not result.said_everything:
            found.append("the call ended before the caller had played its script to the end")
        if self.greeting_ms is None:
            found.append("the agent never spoke")
        utterances = sum(len(stream.measures.utterances) for stream in result.streams)
        if utterances < expect.utterances:
            found.append(f"the agent spoke {utterances} times, not {expect.utterances}")
        unanswered = [turn.said for turn in self.turns if turn.answered and turn.times.gap_ms is None]
        found += [f"the agent did not answer {said!r}" for said in unanswered]
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Give the object that ``--json`` prints; only numbers, texts, lists and nulls."""
        result, streams = self.result, self.result.streams
        account = self.account
        return {
            "call_sid": result.call_sid,
            "script": result.script.name,
            "ok": not self.problems(),
            "problems": list(self.problems()),
            "ended_by": str(result.ended_by),
            "end_reason": result.end_reason,
            "agent_end_reason": account.end_reason if account else "",
            "duration_s": round(result.duration_s, 2),
            "greeting": account.greeting_heard if account else "",
            "greeting_ms": self.greeting_ms,
            "turns": [_turn_json(turn) for turn in self.turns],
            "gap_p50_ms": percentile(self._gaps(), 50),
            "gap_p95_ms": percentile(self._gaps(), 95),
            "wer": _rounded(mean_word_error_rate(self.turns)),
            "marks": sum(len(stream.marks) for stream in streams),
            "clears": sum(len(stream.clears) for stream in streams),
            "warnings": [str(notice) for notice in result.notices if notice.is_warning],
            "errors": [str(notice) for notice in result.notices if not notice.is_warning],
            "sound": {
                "level_dbov": streams[0].measures.level_dbov if streams else None,
                "clipped_runs": sum(stream.measures.clipped_runs for stream in streams),
                "gaps_ms": [gap for stream in streams for gap in stream.measures.gaps_ms],
                "stale_ms": sum(stream.measures.stale_ms for stream in streams),
                "unplayed_ms": sum(stream.unplayed_ms for stream in streams),
            },
            "simulator_late_ms": max((stream.late_ms for stream in streams), default=0),
            "recording": str(self.recording) if self.recording else None,
        }

    def show(self, console: Console) -> None:
        """Print the table, the figures and the verdict."""
        console.print(self._table())
        console.print(self._figures(), highlight=False)
        for doubt in self._doubts():
            console.print(f"[yellow]{escape(doubt)}[/]", highlight=False)
        for problem in self.problems():
            console.print(f"[red]{escape(problem)}[/]", highlight=False)
        if not self.problems():
            console.print(f"[green]The call ran to its intended end: ended by the {self.result.ended_by}.[/]")

    def _table(self) -> Table:
        table = Table(title=f"{self.result.script.name}: {self.result.script.about}", show_lines=True)
        for name in ("caller said", "agent understood", "WER", "gap ms", "caller heard"):
            table.add_column(name, justify="right" if name in ("WER", "gap ms") else "left")
        if self.account is not None:
            table.add_row("", "", "", _shown(self.greeting_ms), escape(self.account.greeting_heard))
        for turn in self.turns:
            wer = "" if turn.wer is None else f"{turn.wer:.0%}"
            heard = escape(turn.reply_heard or "") + (" [yellow](interrupted)[/]" if turn.interrupted else "")
            table.add_row(escape(turn.said), escape(turn.transcript or ""), wer, _shown(turn.times.gap_ms), heard)
        return table

    def _figures(self) -> str:
        said = self.as_json()
        wer = "?" if said["wer"] is None else f"{said['wer']:.1%}"
        sound = said["sound"]
        return (
            f"WER {wer}, gap p50 {_shown(said['gap_p50_ms'])} ms, p95 {_shown(said['gap_p95_ms'])} ms, "
            f"greeting after {_shown(said['greeting_ms'])} ms, cut in {sum(turn.times.cut_ins for turn in self.turns)} "
            f"times; {said['marks']} marks, {said['clears']} clears; "
            f"agent at {sound['level_dbov']} dBov, {sound['clipped_runs']} clipped runs, gaps {sound['gaps_ms']} ms, "
            f"{sound['stale_ms']} ms stale, {sound['unplayed_ms']} ms not played; {said['duration_s']} s"
        )

    def _doubts(self) -> list[str]:
        doubts = [str(notice) for notice in self.result.notices if notice.is_warning]
        late = max((stream.late_ms for stream in self.result.streams), default=0)
        if late > LATE_MS:
            doubts.append(
                f"this machine was busy: the simulator's clock ran up to {late} ms late, so times are doubtful"
            )
        if self.account is not None and self.account.problem:
            doubts.append(f"no transcripts: {self.account.problem}")
        return doubts

    def _gaps(self) -> list[int]:
        return [turn.times.gap_ms for turn in self.turns if turn.times.gap_ms is not None]


def _turn_json(turn: ScoredTurn) -> dict[str, Any]:
    return {
        "said": turn.said,
        "transcript": turn.transcript,
        "reply": turn.reply,
        "reply_heard": turn.reply_heard,
        "interrupted": turn.interrupted,
        "answered": turn.answered,
        "gap_ms": turn.times.gap_ms,
        "yielded_ms": turn.times.yielded_ms,
        "cut_ins": turn.times.cut_ins,
        "wer": _rounded(turn.wer),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _shown(value: int | None) -> str:
    return "-" if value is None else str(value)
