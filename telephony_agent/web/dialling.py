"""A call by phone that the API asks for: whom it means, and what the dialler's answer is in HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from starlette.responses import JSONResponse, Response

from telephony_agent.live.dialler import DialAnswer, Dialler
from telephony_agent.live.stored_lead import lead_of
from telephony_agent.sales.lead import Lead
from telephony_agent.store import NumberError, Store, StoreUnavailable, UnknownRecord
from telephony_agent.web.api import error_response
from telephony_agent.web.sales_models import StartCall, StartedCall

_NOT_NOW = frozenset(
    {"do_not_call", "too_many_attempts", "attempts", "outside_hours", "daily_cap", "already_dialled", "on_the_line"}
)
"""Refusals that don't say that anything about the request is wrong; all others of the law's do."""
_STATUS = {"no_place": 429, "carrier_rejected": 502, "carrier_unreachable": 503, "store": 503} | dict.fromkeys(
    _NOT_NOW, 409
)


async def dial(dialler: Dialler, store: Store, wanted: StartCall, playbook_id: str) -> Response:
    """Ring somebody by a playbook of the shelf, or without an id by the server's; 202 with the call's id, or why not.

    Raises:
        LeadError: what is said of the lead can't be used.
    """
    try:
        lead, lead_id = await _meant(store, wanted, dialler.clock())
    except UnknownRecord as error:
        return error_response(404, str(error))
    except NumberError as error:
        return error_response(422, f"lead.phone: {error}")
    except StoreUnavailable as error:
        return error_response(503, str(error))
    answer = await dialler.dial(lead, lead_id, playbook_id=playbook_id)
    if answer.placed:
        return JSONResponse(StartedCall(call_id=answer.call_id, message="").model_dump(), status_code=202)
    return _refused(answer)


async def _meant(store: Store, wanted: StartCall, now: datetime) -> tuple[Lead, int | None]:
    """Return who is meant: the stored lead, by its id or its number, or else what the request says."""
    if wanted.lead_id is not None:
        return lead_of(await store.leads.get(wanted.lead_id)), wanted.lead_id
    assert wanted.lead is not None, "the model wants one of the two"
    said = wanted.lead.lead(now)
    record = await store.leads.find(said.phone)
    if record is None:
        return said, None
    known = lead_of(record)
    return replace(known, consent=known.consent or said.consent), record.id


def _refused(answer: DialAnswer) -> Response:
    body = {"error": answer.detail, "reason": answer.reason, "call_id": answer.call_id or None}
    return JSONResponse(body, status_code=_STATUS.get(answer.reason, 422))
