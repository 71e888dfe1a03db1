"""The commands around what is remembered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.store import ImportRefused, NumberError, Store
from tests.cli.remembered import ANNA, BEN, call, in_store, lead, memory_in, run, told


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with memory_in(tmp_path, monkeypatch) as folder:
        yield folder


def listed() -> list[str]:
    return [line.split("\t")[0] for line in told("do-not-call", "list").splitlines()]


def exported() -> list[str]:
    return [json.loads(line)["call_id"] for line in told("calls", "--export", "jsonl").splitlines()]


# Forget


def test_who_is_forgotten_leaves_nothing_but_the_do_not_call_entry(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_TRACE_DIR", "traces")
    (memory / "traces").mkdir()
    for name in ("CA1.jsonl", "CA1-2.jsonl", "CA12.jsonl"):
        (memory / "traces" / name).write_text("{}\n")

    async def two_persons(store: Store) -> None:
        await lead(store)
        await call(store, "CA1", ANNA)
        await call(store, "CA12", BEN)

    in_store(two_persons)
    told("do-not-call", "add", ANNA)
    said = told("forget", "+1 (500) 555-0006", "--yes")
    assert "1 leads, 1 calls, 1 turns of transcripts, 0 recordings, 2 traces" in said
    assert exported() == ["CA12"]
    assert listed() == [ANNA]
    assert [path.name for path in (memory / "traces").iterdir()] == ["CA12.jsonl"]
    assert "All hold" in told("compliance", "verify")


def test_nobody_is_forgotten_without_a_yes() -> None:
    in_store(call)
    refused = run("forget", ANNA, typed="n\n")
    assert refused.exit_code == 1
    assert ANNA in refused.output
    assert exported() == ["CA1"]
    assert run("forget", ANNA, typed="y\n").exit_code == 0
    assert exported() == []


def test_what_is_no_number_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(NumberError, match=r"E\.164"):
        run("forget", "555-0106")


# Do not call


def test_numbers_are_put_on_the_list_and_taken_off_for_a_reason() -> None:
    assert told("do-not-call", "add", ANNA, "--reason", "wrote to us") == "It is on the list.\n"
    assert told("do-not-call", "add", ANNA) == "It was on the list.\n"
    assert told("do-not-call", "list").endswith("\twrote to us\n")
    assert run("do-not-call", "remove", ANNA).exit_code == 2, "it needs a reason"
    assert listed() == [ANNA]
    assert told("do-not-call", "remove", ANNA, "--reason", "asked to") == "It is off the list.\n"
    assert run("do-not-call", "remove", ANNA, "--reason", "asked to").exit_code == 1
    assert listed() == []


# Leads


def test_an_import_says_of_every_row_what_became_of_it(memory: Path) -> None:
    (memory / "leads.csv").write_text(f"name,phone\nAnna,{ANNA}\nBen,{BEN}\n")
    assert told("leads", "import", "leads.csv", "--source", "fair") == "2 leads were added, 0 rows refused.\n"
    again = run("leads", "import", "leads.csv")
    assert again.exit_code == 1
    assert "line 2: lead 1 has this number" in again.output
    assert "0 leads were added, 2 rows refused." in again.output


def test_a_file_that_cannot_be_imported_is_an_error_of_one_line(memory: Path) -> None:
    (memory / "colours.csv").write_text("colour\nred\n")
    for file in ("nowhere.csv", "colours.csv", "."):
        with pytest.raises(ImportRefused) as refused:
            run("leads", "import", file)
        assert "\n" not in str(refused.value)


# The compliance log


def test_a_log_that_was_tampered_with_does_not_verify(memory: Path) -> None:
    told("do-not-call", "add", ANNA)
    told("do-not-call", "add", BEN)
    noted = told("compliance", "verify").splitlines()[-1]
    assert noted.startswith("2:")
    assert "All hold" in told("compliance", "verify", "--head", noted)
    database = sqlite3.connect(memory / ".telephony-agent" / "telephony_agent.db")
    with database:
        database.execute("UPDATE compliance SET number = ? WHERE seq = 1", (BEN,))
    database.close()
    broken = run("compliance", "verify")
    assert broken.exit_code == 1
    assert "entry 1 names another person" in broken.output


def test_a_log_whose_end_was_cut_off_does_not_match_the_head_that_was_noted(memory: Path) -> None:
    told("do-not-call", "add", ANNA)
    cut = run("compliance", "verify", "--head", f"2:{'0' * 64}")
    assert cut.exit_code == 1
    assert "entry 2 is missing" in cut.output
    assert run("compliance", "verify", "--head", "2").exit_code == 2


# The settings


def test_a_database_that_cannot_be_used_is_an_error_that_names_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_DATABASE_URL", "mysql://agent:sesame@db.example/calls")
    with pytest.raises(TelephonyAgentError, match="AGENT_DATABASE_URL") as refused:
        run("calls")
    assert "sesame" not in str(refused.value)
