"""What is remembered, by the API: the history of calls, transcripts, and the numbers that are never to be called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import wraps

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from telephony_agent.store import (
    CallFilter,
    CursorError,
    DuplicateLead,
    ImportRefused,
    NumberError,
    Store,
    StoreUnavailable,
    UnknownRecord,
    e164,
)
from telephony_agent.web.api import answered, error_response, refusal
from telephony_agent.web.body import BodyTooLarge, body_of
from telephony_agent.web.call_models import (
    AddedAnswer,
    CallPage,
    CallQuery,
    DoNotCallPage,
    NewEntry,
    PageQuery,
    RemovalQuery,
    TranscriptAnswer,
)
from telephony_agent.web.site import site_of

Endpoint = Callable[[Request, Store], Awaitable[Response]]


def remembered(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Let an endpoint run for who has the token, with the store; its errors become answers that name the fix."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        if (refused := refusal(request)) is not None:
            return refused
        store = site_of(request).store
        if store is None or not store.is_open:
            return error_response(503, "the memory isn't open yet; try again in a moment")
        try:
            return await endpoint(request, store)
        except ValidationError as error:
            first = error.errors()[0]
            return error_response(422, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except (CursorError, ImportRefused, NumberError) as error:
            return error_response(422, str(error))
        except UnknownRecord as error:
            return error_response(404, str(error))
        except DuplicateLead as error:
            return error_response(409, str(error))
        except BodyTooLarge as error:
            return error_response(413, str(error))
        except StoreUnavailable as error:
            return error_response(503, str(error))

    return guarded


@remembered
async def calls(request: Request, store: Store) -> Response:
    """List calls, newest first."""
    query = CallQuery.model_validate(dict(request.query_params))
    wanted = CallFilter(
        since=_aware(query.since),
        until=_aware(query.until),
        disposition=query.disposition,
        number=query.number,
        direction=query.direction,  # type: ignore[arg-type]  # the pattern allows no others
        live=query.live,
    )
    page = await store.history.page(wanted, cursor=query.cursor, limit=query.limit)
    return answered(CallPage.of(page))


@remembered
async def transcript(request: Request, store: Store) -> Response:
    """Tell all that was said in a call, and what of ours was heard."""
    return answered(TranscriptAnswer.of(await store.history.transcript(request.path_params["call_id"])))


@remembered
async def do_not_call(request: Request, store: Store) -> Response:
    """List the numbers that are never to be called, or put one on the list."""
    if request.method == "POST":
        entry = NewEntry.model_validate_json(await body_of(request))
        added = await store.do_not_call.add(entry.number, datetime.now(UTC), entry.reason)
        dialler = site_of(request).dialler
        if dialler is not None:
            await dialler.give_up(e164(entry.number))
        return answered(AddedAnswer(added=added), status=201 if added else 200)
    query = PageQuery.model_validate(dict(request.query_params))
    page = await store.do_not_call.page(cursor=query.cursor, limit=query.limit)
    return answered(DoNotCallPage.of(page))


@remembered
async def do_not_call_entry(request: Request, store: Store) -> Response:
    """Take a number off the list, for a reason that the compliance log keeps."""
    query = RemovalQuery.model_validate(dict(request.query_params))
    removed = await store.do_not_call.remove(request.path_params["number"], datetime.now(UTC), query.reason)
    return Response(status_code=204) if removed else error_response(404, "the number is not on the list")


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
