"""The compliance log: append-only and hash-chained, and yet a person's data can be erased from it.

Theory of operation
-------------------
An entry's hash covers the entry before it::

    hash = sha256(previous hash | canonical JSON of seq, at, kind, facts, personal digest)
    personal digest = sha256(salt | canonical JSON of call, number, details)

``facts`` hold nothing personal: counts, reasons, which rule. What says who it was (number, call, details) stands beside
the hashed part, and only its salted digest is in it. Forgetting a person erases those columns and the salt: without it
the digest says nothing, not even to somebody who tries every telephone number, and the chain holds. What was erased is
itself an entry (``forgotten``), so a personal part that is missing without one is a broken entry. What no chain can
show is that its newest entries were cut off: note ``Verification.head`` elsewhere and hand it to ``verify``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.database import Database, Lock
from telephony_agent.store.rows import clean_data
from telephony_agent.store.tables import ComplianceRow

GENESIS = "0" * 64
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who an entry is about: the erasable part of it."""

    call_id: str | None = None
    number: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry as it is stored. ``subject`` is None once its person is forgotten, or if it never had one."""

    seq: int
    at: datetime
    kind: str
    facts: Mapping[str, Any]
    subject: Subject | None
    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a log, to be noted elsewhere."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found. ``broken`` is the first entry that doesn't hold, with what is wrong with it."""

    entries: int
    erased: int
    head: Head
    broken: tuple[int, str] | None

    @property
    def intact(self) -> bool:
        """Whether every entry holds."""
        return self.broken is None


class ComplianceLog:
    """The log in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, kind: str, facts: Mapping[str, Any], at: datetime, subject: Subject | None = None) -> int:
        """Add an entry and return its number. ``facts`` must say nothing about a person: they are never erased."""
        async with self._database.write() as session:
            return await self.append_in(session, kind, facts, at, subject)

    async def append_in(
        self, session: AsyncSession, kind: str, facts: Mapping[str, Any], at: datetime, subject: Subject | None = None
    ) -> int:
        """Add an entry as part of a transaction; it then stands or falls with it."""
        await self._database.hold(session, Lock.COMPLIANCE)
        last = await session.scalar(select(ComplianceRow).order_by(ComplianceRow.seq.desc()).limit(1))
        details = subject and subject.details
        row = ComplianceRow(
            seq=last.seq + 1 if last else 1,
            at=at.astimezone(UTC),
            kind=kind,
            facts=_canonical(clean_data(facts)),
            previous_hash=last.hash if last else GENESIS,
            number=subject and subject.number,
            call_id=subject and subject.call_id,
            details=None if details is None else _canonical(clean_data(details)),
            salt=secrets.token_hex(16) if subject else None,
        )
        row.personal_digest = _personal_digest(row) if subject else None
        row.hash = _hash(row)
        session.add(row)
        await session.flush()
        return row.seq

    async def entries(self, *, after: int = 0, limit: int = 500) -> tuple[LogEntry, ...]:
        """Return entries in order, from the one after a number on."""
        query = select(ComplianceRow).where(ComplianceRow.seq > after).order_by(ComplianceRow.seq).limit(limit)
        async with self._database.read() as session:
            return tuple(_entry(row) for row in await session.scalars(query))

    async def verify(self, noted: Head | None = None) -> Verification:
        """Check every entry. With a head that was noted earlier, also that the log still holds what it held then."""
        checker = _Checker(noted)
        async with self._database.read() as session:
            rows = await session.stream_scalars(
                select(ComplianceRow).order_by(ComplianceRow.seq).execution_options(yield_per=500)
            )
            async for row in rows:
                checker.check(row)
        return checker.verdict()

    async def erase_in(self, session: AsyncSession, number: str, calls: list[str], at: datetime) -> int:
        """Erase a person from the log as part of a transaction; return how many entries were about them."""
        await self._database.hold(session, Lock.COMPLIANCE)
        about = or_(ComplianceRow.number == number, ComplianceRow.call_id.in_(calls))
        rows = list(await session.scalars(select(ComplianceRow).where(about).order_by(ComplianceRow.seq)))
        for row in rows:
            row.number = row.call_id = row.details = row.salt = None
        await self.append_in(session, FORGOTTEN, {"entries": [row.seq for row in rows]}, at)
        return len(rows)


class _Checker:
    """Reads the log from its beginning and remembers the first thing that is wrong."""

    def __init__(self, noted: Head | None) -> None:
        self._noted = noted
        self._head = Head(0, GENESIS)
        self._erased: list[int] = []
        self._forgotten: set[int] = set()
        self._entries = 0
        self._broken: tuple[int, str] | None = None

    def check(self, row: ComplianceRow) -> None:
        """Check the next entry."""
        self._entries += 1
        if self._broken is None:
            self._broken = self._fault(row)
        if row.personal_digest is not None and row.salt is None:
            self._erased.append(row.seq)
        if row.kind == FORGOTTEN and self._broken is None:
            self._forgotten |= set(json.loads(row.facts)["entries"])
        self._head = Head(row.seq, row.hash)

    def _fault(self, row: ComplianceRow) -> tuple[int, str] | None:
        expected = self._head.seq + 1
        if row.seq != expected:
            return expected, "is missing"
        if row.previous_hash != self._head.hash:
            return row.seq, "doesn't follow the entry before it"
        if row.hash != _hash(row):
            return row.seq, "was changed"
        personal = (row.number, row.call_id, row.details)
        if row.personal_digest is None or row.salt is None:
            if any(value is not None for value in personal):
                return row.seq, "names a person that it didn't name"
        elif row.personal_digest != _personal_digest(row):
            return row.seq, "names another person, call or detail than it did"
        if self._noted and self._noted.seq == row.seq and self._noted.hash != row.hash:
            return row.seq, "is not the entry that was noted"
        return None

    def verdict(self) -> Verification:
        """Return what was found, after the last entry."""
        broken = self._broken
        if secretly := set(self._erased) - self._forgotten:
            first = min(secretly)
            if broken is None or first < broken[0]:
                broken = (first, "lost its person, though nobody was forgotten")
        if broken is None and self._noted and self._noted.seq > self._head.seq:
            broken = (self._head.seq + 1, "is missing: the end of the log was cut off")
        return Verification(self._entries, len(self._erased), self._head, broken)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _hash(row: ComplianceRow) -> str:
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    content = _canonical([row.seq, at, row.kind, row.facts, row.personal_digest])
    return hashlib.sha256(f"{row.previous_hash}|{content}".encode()).hexdigest()


def _personal_digest(row: ComplianceRow) -> str:
    content = _canonical([row.call_id, row.number, row.details])
    return hashlib.sha256(f"{row.salt}|{content}".encode()).hexdigest()


def _entry(row: ComplianceRow) -> LogEntry:
    subject = None
    if row.salt is not None:
        subject = Subject(row.call_id, row.number, None if row.details is None else json.loads(row.details))
    return LogEntry(row.seq, row.at, row.kind, json.loads(row.facts), subject, row.hash)
