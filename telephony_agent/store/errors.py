"""The errors of the store, a branch of the tree in ``telephony_agent.errors``.

::

    StoreError                "store"
    ├── StoreUnavailable      "store_unavailable"   locked, full or out of reach: the same write may succeed later
    ├── UnknownRecord         "unknown_record"      no such call, lead or delivery
    ├── DuplicateLead         "duplicate_lead"      the number is a lead's already
    ├── NumberError           "number"              not a telephone number in E.164
    ├── CursorError           "cursor"              a page was asked for with a cursor that we did not make
    └── ImportRefused         "import_refused"      a CSV file that can't be read at all
"""

from __future__ import annotations

from telephony_agent.errors import TelephonyAgentError


class StoreError(TelephonyAgentError):
    """The store can't do what it was asked."""

    code = "store"


class StoreUnavailable(StoreError):
    """The database is locked, full or out of reach for now; nothing was written."""

    code = "store_unavailable"


class UnknownRecord(StoreError):
    """What was asked for is not in the store."""

    code = "unknown_record"


class DuplicateLead(StoreError):
    """Another lead has this number."""

    code = "duplicate_lead"


class NumberError(StoreError):
    """A text is no telephone number in E.164."""

    code = "number"


class CursorError(StoreError):
    """A page's cursor is not one that the page before gave out."""

    code = "cursor"


class ImportRefused(StoreError):
    """A CSV file can't be read at all; the message says what it lacks."""

    code = "import_refused"
