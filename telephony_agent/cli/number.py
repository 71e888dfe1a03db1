"""``telephony-agent number``: the account's numbers, and which of them rings at this agent.

``connect`` sets three URLs of a number: the voice webhook, the status callback, and the fallback, which Twilio asks
when the voice webhook fails. The fallback is another path of this agent with a fixed document, since a TwiML Bin, which
would answer even if this machine is down, can only be made in Twilio's console; make one there and give its address
with ``--fallback-url``. What stood there before is written to ``numbers.json`` in ``AGENT_DATA_DIR`` (mode 600: routes
may hold secrets), and ``disconnect`` puts it back.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.table import Column, Table

from telephony_agent.carrier.carrier import Carrier, PhoneNumber, VoiceRoute
from telephony_agent.carrier.twilio_rest import TwilioCarrier
from telephony_agent.errors import CarrierError, SettingError
from telephony_agent.settings import Settings
from telephony_agent.store import e164

VOICE_PATH = "/twilio/voice"
STATUS_PATH = "/twilio/status"
FALLBACK_PATH = "/twilio/fallback"

app = typer.Typer(no_args_is_help=True, help="Show the account's numbers, and let one of them ring at this agent.")
T = TypeVar("T")

Number = Annotated[str, typer.Argument(metavar="[NUMBER]", help="In E.164 form, such as +15005550006.")]


@dataclass(frozen=True, slots=True)
class Connection:
    """A number that was pointed at this agent: where its calls went before, and what was set instead."""

    before: VoiceRoute
    now: VoiceRoute


class Connections:
    """What is remembered of connected numbers: a JSON file that only its owner can read."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> dict[str, Connection]:
        """Return the connections by their numbers.

        Raises:
            SettingError: the file can't be read.
        """
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            return {
                number: Connection(VoiceRoute(**routes["before"]), VoiceRoute(**routes["now"]))
                for number, routes in kept.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingError(f"{self._file}: can't be read ({error!r}); mend it or move it away") from error

    def write(self, connections: dict[str, Connection]) -> None:
        """Keep these connections instead of what was kept.

        Raises:
            SettingError: the file can't be written.
        """
        text = json.dumps({number: asdict(connection) for number, connection in connections.items()}, indent=2)
        new = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(text + "\n")
            new.replace(self._file)
        except OSError as error:
            raise SettingError(f"{self._file}: can't be written: {error.strerror}") from error


@app.command("list")
def list_numbers() -> None:
    """Show the account's numbers and where their calls go."""
    settings = Settings()
    found = _with_carrier(settings, lambda carrier: carrier.numbers())
    # Never shortened: what these columns are looked up for stands at the end of a URL.
    routes = (Column(title, overflow="fold") for title in ("a call goes to", "if that fails", "status callback"))
    table = Table(Column("number", no_wrap=True), "name", "voice", *routes, "this agent")
    for item in found:
        table.add_row(
            item.number,
            item.friendly_name,
            "yes" if item.can_voice else "no",
            _goes_to(item.route),
            item.route.fallback_url or "-",
            item.route.status_url or "-",
            "yes" if _rings_here(item, settings) else "no",
        )
    Console().print(table if found else "The account has no numbers; buy one with voice in Twilio's console.")


@app.command()
def connect(
    number: Number = "",
    fallback_url: Annotated[
        str,
        typer.Option("--fallback-url", metavar="URL", help="What Twilio asks if this agent fails, e.g. a TwiML Bin."),
    ] = "",
) -> None:
    """Let a number ring at this agent: TWILIO_PHONE_NUMBER, or the one that is named."""
    settings = Settings()
    spelled = _number_or_default(number, settings)
    route = _route_to_agent(settings, fallback_url)
    remembered = Connections(settings.store.data_dir / "numbers.json")
    typer.echo(_with_carrier(settings, lambda carrier: _connect(carrier, spelled, route, remembered)))


@app.command()
def disconnect(
    number: Number = "",
    force: Annotated[
        bool, typer.Option("--force", help="Also if the number was pointed elsewhere in the meantime.")
    ] = False,
) -> None:
    """Put back what a number did before it was connected; without NUMBER, the one that is connected."""
    settings = Settings()
    remembered = Connections(settings.store.data_dir / "numbers.json")
    spelled = e164(number) if number else _only(remembered.read())
    typer.echo(_with_carrier(settings, lambda carrier: _disconnect(carrier, spelled, remembered, force=force)))


async def _connect(carrier: Carrier, number: str, route: VoiceRoute, remembered: Connections) -> str:
    current = await _owned(carrier, number)
    if not current.can_voice:
        raise typer.BadParameter(f"{number} takes no calls; choose a number with voice (`telephony-agent number list`)")
    connections = remembered.read()
    earlier = connections.get(number)
    if current.route == route:
        kept = "" if earlier else " What was there before isn't known, so `disconnect` can't put it back."
        return f"{number} rings at this agent already.{kept}"
    # A new public URL replaces ours; what was there before us stays what it was.
    before = earlier.before if earlier and earlier.now == current.route else current.route
    remembered.write(connections | {number: Connection(before, route)})
    _check(await carrier.configure_number(current.sid, route), route)
    return (
        f"{number} rings at this agent now.\n"
        f"  a call         {route.voice_url}\n"
        f"  if that fails  {route.fallback_url}\n"
        f"  status         {route.status_url}\n"
        f"It was: {_goes_to(before)}. `telephony-agent number disconnect` puts that back."
    )


async def _disconnect(carrier: Carrier, number: str, remembered: Connections, *, force: bool) -> str:
    connections = remembered.read()
    connection = connections.get(number)
    if connection is None:
        raise typer.BadParameter(f"{number} was not connected from here, so what was there before isn't known")
    current = await _owned(carrier, number)
    if current.route not in (connection.now, connection.before) and not force:
        raise typer.BadParameter(
            f"{number} was pointed elsewhere since: {_goes_to(current.route)}; --force puts back what was before"
        )
    if current.route != connection.before:
        _check(await carrier.configure_number(current.sid, connection.before), connection.before)
    remembered.write({kept: value for kept, value in connections.items() if kept != number})
    return f"{number} is as it was: {_goes_to(connection.before)}."


async def _owned(carrier: Carrier, number: str) -> PhoneNumber:
    found = await carrier.number(number)
    if found is None:
        raise typer.BadParameter(
            f"the account has no number {number}; `telephony-agent number list` shows which it has"
        )
    return found


def _check(made: PhoneNumber, wanted: VoiceRoute) -> None:
    """Compare what Twilio made of a change.

    Raises:
        CarrierError: it is something else.
    """
    if made.route != wanted:
        wrong = [name for name, value in asdict(wanted).items() if getattr(made.route, name) != value]
        raise CarrierError(f"Twilio did not take over {', '.join(wrong)}: set the number in Twilio's console by hand")


def _route_to_agent(settings: Settings, fallback_url: str) -> VoiceRoute:
    """Return the route to this agent.

    Raises:
        SettingError: Twilio could not reach it there.
    """
    base = settings.server.public_url
    if not base:
        raise SettingError(
            "AGENT_PUBLIC_URL: not set, but it is where Twilio reaches this agent; allowed: https://host"
        )
    if urlsplit(base).scheme != "https":
        raise SettingError(f"AGENT_PUBLIC_URL={base!r}: Twilio can't reach that; allowed: an https:// address")
    if fallback_url and urlsplit(fallback_url).scheme != "https":
        raise typer.BadParameter(f"{fallback_url!r} must begin with https://", param_hint="--fallback-url")
    return VoiceRoute(
        voice_url=base + VOICE_PATH,
        fallback_url=fallback_url or base + FALLBACK_PATH,
        status_url=base + STATUS_PATH,
    )


def _rings_here(item: PhoneNumber, settings: Settings) -> bool:
    route = item.route
    ours = bool(settings.server.public_url) and route.voice_url == settings.server.public_url + VOICE_PATH
    return ours and not (route.application_sid or route.trunk_sid)


def _goes_to(route: VoiceRoute) -> str:
    if route.application_sid:
        return f"the TwiML application {route.application_sid}"
    if route.trunk_sid:
        return f"the SIP trunk {route.trunk_sid}"
    return route.voice_url or "nothing"


def _number_or_default(number: str, settings: Settings) -> str:
    if not (number or settings.twilio.phone_number):
        raise SettingError("TWILIO_PHONE_NUMBER: not set; name the number, or set it")
    return e164(number or settings.twilio.phone_number)


def _only(connections: dict[str, Connection]) -> str:
    if len(connections) != 1:
        which = f"{len(connections)} numbers are connected: name one" if connections else "no number is connected"
        raise typer.BadParameter(which)
    return next(iter(connections))


def _with_carrier(settings: Settings, work: Callable[[Carrier], Awaitable[T]]) -> T:
    """Ask Twilio something."""

    async def run() -> T:
        async with _opened(settings) as carrier:
            return await work(carrier)

    return asyncio.run(run())


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Carrier]:
    carrier = TwilioCarrier(settings.twilio, settings.server.twilio_api_url)
    try:
        yield carrier
    finally:
        await carrier.aclose()
