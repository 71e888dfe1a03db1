"""Reads leads from a CSV file as people export them: any of the usual separators, headings and encodings.

Every row is accounted for: it becomes a draft, or it is refused with its reason. A column that we don't know is kept
with the lead, under its heading.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from telephony_agent.store.errors import ImportRefused, NumberError
from telephony_agent.store.numbers import e164
from telephony_agent.store.records import Consent, LeadDraft

_HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        heading: field
        for field, headings in {
            "name": "name, full name, contact, contact name",
            "phone": "phone, phone number, number, telephone, mobile, tel",
            "company": "company, company name, organisation, organization, account",
            "role": "role, title, job title, position",
            "email": "email, e-mail, email address, e-mail address, mail",
            "zone": "zone, time zone, timezone",
            "source": "source, lead source",
            "language": "language, lang",
            "consent_basis": "consent_basis, consent basis, consent",
            "consent_text": "consent_text, consent text",
            "consent_at": "consent_at, consent at, consent time, consent date",
            "budget": "budget",
            "authority": "authority",
            "need": "need",
            "timing": "timing",
            "interest": "interest",
            "objections": "objections",
            "notes": "notes, note, comment, comments",
        }.items()
        for heading in headings.split(", ")
    }
)
_NEEDED = ("name", "phone")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A row of the file: the line that it ends on, and its cells as they stand there."""

    line: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that became no lead, with the reason, to be mended and imported again."""

    line: int
    values: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: the new leads' numbers in its order, and the refused rows."""

    added: tuple[int, ...]
    refused: tuple[RefusedRow, ...]


def read_leads(data: bytes, source: str) -> tuple[list[tuple[CsvRow, LeadDraft]], list[RefusedRow]]:
    """Return the drafts of a CSV file, each with its row, and the rows that are none. Numbers are E.164 afterwards.

    Raises:
        ImportRefused: it is no CSV with a heading for name and phone.
    """
    rows = _rows(data)
    try:
        header = next(rows)
    except StopIteration:
        raise ImportRefused("the file is empty: its first line must name the columns") from None
    fields = _fields(header)
    drafts: list[tuple[CsvRow, LeadDraft]] = []
    refused: list[RefusedRow] = []
    lines: dict[str, int] = {}
    for row in rows:
        try:
            draft = _draft(row, header, fields, source)
        except (_Refused, NumberError) as error:
            refused.append(RefusedRow(row.line, row.values, str(error)))
            continue
        if draft.phone in lines:
            refused.append(RefusedRow(row.line, row.values, f"line {lines[draft.phone]} has this number"))
            continue
        lines[draft.phone] = row.line
        drafts.append((row, draft))
    return drafts, refused


class _Refused(Exception):
    """Why a row is no lead."""


class _Rows:
    """The rows of a text that aren't empty."""

    def __init__(self, text: str) -> None:
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> CsvRow:
        while True:
            try:
                cells = next(self._reader)
            except csv.Error as error:
                raise ImportRefused(f"line {self._reader.line_num} is no CSV: {error}") from error
            if any(cell.strip() for cell in cells):
                return CsvRow(self._reader.line_num, tuple(cells))


def _rows(data: bytes) -> _Rows:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What a spreadsheet on Windows writes; every byte means something there.
        text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise ImportRefused("the file is no text: export it as CSV (UTF-8)")
    return _Rows(text)


def _separator(text: str) -> str:
    heading = text.partition("\n")[0]
    return max(",;\t|", key=heading.count)


def _fields(header: CsvRow) -> dict[str, int]:
    """Find our fields in the heading: field -> column."""
    fields: dict[str, int] = {}
    for column, heading in enumerate(header.values):
        field = _HEADINGS.get(" ".join(heading.lower().split()))
        if field in fields:
            raise ImportRefused(f"two columns are {field}: {header.values[fields[field]]!r} and {heading!r}")
        if field is not None:
            fields[field] = column
    if missing := [field for field in _NEEDED if field not in fields]:
        raise ImportRefused(f"the first line names no column for {' and '.join(missing)}")
    return fields


def _draft(row: CsvRow, header: CsvRow, fields: Mapping[str, int], source: str) -> LeadDraft:
    if len(row.values) > len(header.values) and any(cell.strip() for cell in row.values[len(header.values) :]):
        raise _Refused(f"it has {len(row.values)} cells, the heading has {len(header.values)}")
    cells = {field: row.values[column].strip() for field, column in fields.items() if column < len(row.values)}
    for field in _NEEDED:
        if not cells.get(field):
            raise _Refused(f"it has no {field}")
    text = {field: cells.get(field, "") for field in _HEADINGS.values()}
    return LeadDraft(
        name=text["name"],
        phone=e164(text["phone"]),
        company=text["company"],
        role=text["role"],
        email=text["email"],
        zone=text["zone"],
        source=text["source"] or source,
        language=text["language"],
        consent=_consent(text["consent_basis"], text["consent_text"], text["consent_at"]),
        budget=text["budget"],
        authority=text["authority"],
        need=text["need"],
        timing=text["timing"],
        interest=text["interest"],
        objections=tuple(filter(None, (part.strip() for part in text["objections"].split(";")))),
        notes=text["notes"],
        extra=_extra(row, header, set(fields.values())),
    )


def _extra(row: CsvRow, header: CsvRow, known: set[int]) -> dict[str, str]:
    """Return the cells of the columns that are no field of ours, by their headings."""
    extra: dict[str, str] = {}
    for column, (heading, cell) in enumerate(zip(header.values, row.values, strict=False), start=1):
        if column - 1 not in known and cell.strip():
            name = heading.strip()
            extra[f"{name} (column {column})" if not name or name in extra else name] = cell.strip()
    return extra


def _consent(basis: str, text: str, at: str) -> Consent | None:
    if not basis:
        if text or at:
            raise _Refused("it has a consent without its basis")
        return None
    if not at:
        return Consent(basis, text)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        raise _Refused(f"its consent time {at!r} is not ISO 8601, like 2026-03-01T09:00:00+00:00") from None
    if moment.tzinfo is None:
        raise _Refused(f"its consent time {at!r} has no zone: write it like 2026-03-01T09:00:00+00:00")
    return Consent(basis, text, moment)
