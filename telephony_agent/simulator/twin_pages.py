"""The twin's own pages, which Twilio doesn't have: what its calls are and were, their sound, and calls that come in."""

from __future__ import annotations

import html
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from telephony_agent.simulator.callee import Callee
from telephony_agent.simulator.callee_file import load_callee, shipped_callees
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.phone_call import PhoneCall
from telephony_agent.simulator.rest_error import RestError
from telephony_agent.simulator.rest_json import call_json
from telephony_agent.simulator.script_file import ScriptError, load, shipped_names
from telephony_agent.simulator.wav import wav_of

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Twilio's twin</title><meta http-equiv="refresh" content="2">
<style>body{{font:15px system-ui;margin:2rem;color:#222}}table{{border-collapse:collapse}}
td,th{{padding:.3rem .8rem;text-align:left;border-bottom:1px solid #ddd}}</style></head><body>
<h1>Twilio's twin</h1><p>Account {account}, numbers {numbers}; the same as <a href="/twin">JSON</a>.</p>
<table><tr><th>call</th><th>from</th><th>to</th><th>callee</th><th>status</th><th>answered by</th><th>end</th>
<th>sound</th></tr>{rows}</table></body></html>"""


class TwinPages:
    """The pages of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def routes(self) -> list[Route]:
        """Every route."""
        return [
            Route("/", self._page, methods=["GET"]),
            Route("/twin", self._overview, methods=["GET"]),
            Route("/twin/calls", self._ring_in, methods=["POST"]),
            Route("/twin/calls/{sid}", self._call, methods=["GET"]),
            Route("/twin/calls/{sid}/audio.wav", self._audio, methods=["GET"]),
            Route("/twin/calls/{sid}/message.wav", self._message, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        rows = "".join(_row(call) for call in reversed(list(self._exchange.calls())))
        numbers = ", ".join(number.phone_number for number in self._exchange.numbers.values())
        account = self._exchange.settings.account.account_sid
        return HTMLResponse(_PAGE.format(account=html.escape(account), numbers=html.escape(numbers), rows=rows))

    async def _overview(self, request: Request) -> Response:
        account = self._exchange.settings.account
        return JSONResponse(
            {
                "account_sid": account.account_sid,
                "numbers": {one.phone_number: one.voice_url for one in self._exchange.numbers.values()},
                "calls": [_brief(call) for call in self._exchange.calls()],
            }
        )

    async def _ring_in(self, request: Request) -> Response:
        """Let a call come in: ``{"to", "from", "callee" or "script"}``, of which only ``to`` is required."""
        try:
            body = await request.json()
            if not isinstance(body, dict):
                raise RestError(21200, "the body must be a JSON object")
            caller = _caller(body)
            call = await self._exchange.ring_in(str(body.get("to", "")), str(body.get("from", "+15005550100")), caller)
        except RestError as error:
            return JSONResponse(error.body(), error.status)
        except (ScriptError, ValueError) as error:
            return JSONResponse(RestError(21200, str(error)).body(), 400)
        return JSONResponse(_brief(call), 201)

    async def _call(self, request: Request) -> Response:
        call = self._exchange.call(request.path_params["sid"])
        return Response(status_code=404) if call is None else JSONResponse(_told(call))

    async def _audio(self, request: Request) -> Response:
        call = self._exchange.call(request.path_params["sid"])
        if call is None or not len(call.other_track):
            return Response(status_code=404)
        return Response(wav_of(call.other_track, call.agent_track), media_type="audio/x-wav")

    async def _message(self, request: Request) -> Response:
        call = self._exchange.call(request.path_params["sid"])
        message = call.message if call is not None else None
        if message is None:
            return Response(status_code=404)
        return Response(wav_of(message), media_type="audio/x-wav")


def _caller(body: dict[str, Any]) -> Callee:
    """Find who calls: a callee, or a caller's script."""
    callee, script = body.get("callee"), body.get("script", "quickstart")
    if callee is not None:
        # By name only: what comes over HTTP opens no file.
        if callee not in shipped_callees():
            raise ScriptError(f"callee must be one of {', '.join(shipped_callees())}")
        return load_callee(callee)
    if script not in shipped_names():
        raise ScriptError(f"script must be one of {', '.join(shipped_names())}")
    return Callee(script, script=load(script))


def _brief(call: PhoneCall) -> dict[str, Any]:
    return {
        **{key: value for key, value in call_json(call.record).items() if key in _SHOWN},
        "callee": call.callee.name,
        "ended_by": call.end.by.value if call.end else None,
        "end_reason": call.end.reason if call.end else None,
        "message_ms": None if call.message is None else len(call.message) // 8,
    }


_SHOWN: Final = frozenset(
    {"sid", "from", "to", "direction", "status", "answered_by", "duration", "date_created", "queue_time"}
)


def _told(call: PhoneCall) -> dict[str, Any]:
    """Tell everything of a call but its sound."""
    return {
        **_brief(call),
        "notices": [str(notice) for notice in call.notices],
        "verbs": [type(verb).__name__ for verb in call.verbs],
        "events": [
            {"at_ms": event.at_ms, "kind": event.kind.value, "text": event.text, "value": event.value}
            for event in call.events
        ],
        "requests": [{"url": one.url, "form": dict(one.form), "status": one.status} for one in call.posted],
    }


def _row(call: PhoneCall) -> str:
    told = _brief(call)
    cells = (
        told["from"],
        told["to"],
        told["callee"],
        told["status"],
        told["answered_by"] or "",
        told["end_reason"] or "",
    )
    sid = html.escape(call.record.sid)
    sound = f'<a href="/twin/calls/{sid}/audio.wav">listen</a>' if len(call.other_track) else ""
    return (
        f'<tr><td><a href="/twin/calls/{sid}">{sid[:10]}…</a></td>'
        + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        + f"<td>{sound}</td></tr>"
    )
