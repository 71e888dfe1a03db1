"""The store as a whole: one database, one folder of recordings, and everything that is kept in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from telephony_agent.store.calls import Calls
from telephony_agent.store.campaigns import Campaigns
from telephony_agent.store.compliance_log import ComplianceLog
from telephony_agent.store.database import Database
from telephony_agent.store.deliveries import Deliveries
from telephony_agent.store.dialling import Dialling
from telephony_agent.store.do_not_call import DoNotCall
from telephony_agent.store.history import History
from telephony_agent.store.leads import Leads
from telephony_agent.store.playbooks import Playbooks
from telephony_agent.store.recorder import Recorder
from telephony_agent.store.recordings import Recordings
from telephony_agent.store.records import Outcome, Transcript
from telephony_agent.store.retention import Retention

RECORDINGS = "recordings"


class Store:
    """What the agent remembers. Use it as an ``async with`` block, or ``open`` and ``close`` it.

    Args:
        data_dir: where the recordings are, and the database unless ``url`` says otherwise.
        url: of a PostgreSQL or another SQLite file; empty for ``data_dir/telephony_agent.db``.
        server: the name of this server; it must stay the same over restarts and differ from others on that database.
        inherits: names of servers that are no more, whose calls ``recover`` ends as if they were this one's.
        has_siblings: whether others write to the same recordings now, which ``recover`` leaves alone then.
        delivers: whether an outcome is put on the queue for the owner's webhook.
        busy_ms: how long to wait for a locked database before ``StoreUnavailable``.

    Its parts are attributes: ``leads``, ``do_not_call``, ``dialling``, ``calls``, ``campaigns``, ``playbooks``,
    ``recorder``, ``history``, ``deliveries``, ``compliance``, ``recordings``, ``retention``; ``database`` is what they
    share.

    Raises:
        SettingError: the URL is not usable.
    """

    def __init__(
        self,
        data_dir: Path,
        url: str = "",
        *,
        server: str = "main",
        inherits: Sequence[str] = (),
        has_siblings: bool = False,
        delivers: bool = False,
        busy_ms: int = 5000,
    ) -> None:
        self._has_siblings = has_siblings
        self.database = Database(url, data_dir, busy_ms=busy_ms)
        self.compliance = ComplianceLog(self.database)
        self.do_not_call = DoNotCall(self.database, self.compliance)
        self.leads = Leads(self.database)
        self.calls = Calls(
            self.database, self.compliance, self.do_not_call, server, delivers=delivers, inherits=inherits
        )
        self.dialling = Dialling(self.database, self.compliance, server)
        self.campaigns = Campaigns(self.database, server)
        self.playbooks = Playbooks(self.database)
        self.deliveries = Deliveries(self.database)
        self.history = History(self.database)
        self.recordings = Recordings(data_dir / RECORDINGS)
        self.retention = Retention(self.database, self.compliance, self.recordings)
        self.recorder = Recorder(self.calls)
        self.is_open = False
        """Whether it was opened, and not closed since."""

    async def open(self) -> None:
        """Bring the database up to this version and begin to write.

        Raises:
            StoreUnavailable: the database can't be reached or written.
        """
        await self.database.open()
        self.recorder.start()
        self.is_open = True

    async def recover(
        self, now: datetime, retold: Callable[[Transcript], Outcome | Awaitable[Outcome | None] | None] = lambda _: None
    ) -> tuple[str, ...]:
        """Tidy up after a server that died: mend its recordings, end its calls; return which those were.

        A server calls it once, after ``open`` and before its first call. ``retold`` makes out of what is written of a
        call what came of it; without that, it was cut short and no more.
        """

        async def retell(call_id: str) -> Outcome | None:
            await asyncio.to_thread(self.recordings.mend, call_id)
            told = retold(await self.history.transcript(call_id))
            return await told if isinstance(told, Awaitable) else told

        if not self._has_siblings:
            await asyncio.to_thread(self.recordings.recover)
        return await self.calls.recover(now, retell)

    async def close(self) -> None:
        """Write what waits and close everything. Call after the last call has ended."""
        self.is_open = False
        await self.recorder.close()
        await asyncio.to_thread(self.recordings.close)
        await self.database.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
