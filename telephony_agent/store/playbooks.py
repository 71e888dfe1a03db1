"""The playbooks that calls were made by, so that whoever takes up a call or a campaign later has the same one."""

from __future__ import annotations

from datetime import datetime

from telephony_agent.store.database import Database
from telephony_agent.store.errors import UnknownRecord
from telephony_agent.store.tables import PlaybookRow


class Playbooks:
    """The playbooks in one database. They are the owner's words and nobody's data; retention tidies up behind calls."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, playbook_id: str, text: str, now: datetime) -> None:
        """Keep a playbook by an id that is its own and no other text's; a second time only its day is new.

        So retention leaves it alone until the call or the campaign that it is kept for names it.
        """
        async with self._database.write() as session:
            await self._database.upsert(session, PlaybookRow, {"id": playbook_id, "text": text, "added_at": now})

    async def get(self, playbook_id: str) -> str:
        """Return a playbook as it was kept.

        Raises:
            UnknownRecord: there is none with this id.
        """
        async with self._database.read() as session:
            row = await session.get(PlaybookRow, playbook_id)
        if row is None:
            raise UnknownRecord(f"there is no playbook {playbook_id}")
        return row.text
