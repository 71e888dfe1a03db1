"""A client of a running agent's API: lets it call somebody, and tells how the call goes.

The agent does the calling (``telephony-agent serve``): it has the models, the account and the list of who must not be
called. ``dial`` is the short way for a script of one's own; ``AgentClient`` is what it is made of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from telephony_agent.errors import SettingError, TelephonyAgentError
from telephony_agent.settings import Settings

EVERY_S = 0.5
"""How often a call is asked for while it goes on."""
TIMEOUT_S = 60.0
"""Placing a call may take some tries of the carrier's."""


class AgentError(TelephonyAgentError):
    """The agent can't be reached, or didn't do what it was asked; the message says what to do."""

    code = "agent"


class DialRefused(AgentError):
    """The agent may not make this call, or can't now; ``reason`` is one stable word, ``str()`` a sentence."""

    code = "dial_refused"

    def __init__(self, message: str, *, reason: str, call_id: str = "") -> None:
        """Note why; ``call_id`` is of the call that exists all the same, because the carrier refused it."""
        super().__init__(message)
        self.reason = reason
        self.call_id = call_id


@dataclass(frozen=True, slots=True)
class Said:
    """One turn: what the other party was understood to say, and what they heard us answer."""

    theirs: str
    ours: str


@dataclass(frozen=True, slots=True)
class CallReport:
    """How a call stands.

    ``state`` is ``ringing``, ``live`` or ``ended``. ``line_result`` (answered, busy, no_answer, voicemail, failed,
    abandoned), ``disposition`` and ``summary`` are empty until it has ended.
    """

    call_id: str
    state: str
    said: tuple[Said, ...] = ()
    line_result: str = ""
    disposition: str = ""
    summary: str = ""

    @property
    def over(self) -> bool:
        """Whether it has ended, and what came of it is known."""
        return self.state == "ended" and bool(self.disposition)

    @property
    def reached(self) -> bool:
        """Whether a person was talked to, or a mailbox has our message."""
        return self.line_result == "answered" or self.disposition == "voicemail_left"


class AgentClient:
    """Asks one agent. Use it as a context manager, or ``close`` it."""

    def __init__(self, url: str, api_token: str) -> None:
        """Prepare; nothing is asked yet.

        Args:
            url: where the agent listens, such as http://127.0.0.1:8080.
            api_token: its ``AGENT_API_TOKEN``.

        Raises:
            SettingError: no token; without one the API is off.
        """
        if not api_token:
            raise SettingError("AGENT_API_TOKEN='': allowed: the token of the running agent, which its API asks for")
        headers = {"Authorization": f"Bearer {api_token}"}
        self._url = url
        self._http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=TIMEOUT_S, trust_env=False)

    @classmethod
    def of_settings(cls, settings: Settings) -> Self:
        """Return a client of the agent that runs on this machine with these settings.

        Raises:
            SettingError: no token is set.
        """
        host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
        return cls(f"http://{host}:{settings.server.port}", settings.server.api_token.get_secret_value())

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def dial(
        self,
        number: str = "",
        *,
        lead_id: int | None = None,
        name: str = "",
        consent: str = "",
        zone: str = "",
        playbook: str = "",
    ) -> str:
        """Let the agent call a number, or a lead that it has stored; return the call's id, or raise why not.

        A number that is a stored lead's is called as that lead.

        Args:
            number: in E.164 form, such as +15005550006.
            lead_id: the stored lead, instead of a number.
            name: who is called.
            consent: the words in which they agreed to be called in writing, where that isn't stored.
            zone: their IANA zone, where the number doesn't tell it.
            playbook: as YAML, the playbook of this call; else the agent's own.

        Raises:
            DialRefused: it is not allowed, or not now.
            AgentError: the agent can't be reached, or can't dial at all.
        """
        wanted: dict[str, Any] = {"channel": "phone"}
        if lead_id is not None:
            wanted["lead_id"] = lead_id
        else:
            given = {"text": consent} if consent else None
            wanted["lead"] = {"name": name or "unknown", "phone": number, "zone": zone, "consent": given}
        if playbook:
            wanted["playbook"] = playbook
        answer = self.ask("POST", "/sales/start-call", json=wanted)
        return str(answer["call_id"])

    def call(self, call_id: str) -> CallReport:
        """Ask how a call stands.

        Raises:
            AgentError: the agent can't be reached, or knows no such call.
        """
        told = self.ask("GET", f"/calls/{call_id}")
        greeting, outcome = told["greeting"], told["outcome"] or {}
        said = [Said("", str(greeting["heard"]))] if greeting else []
        said += [Said(str(turn["transcript"] or ""), str(turn["reply_heard"] or "")) for turn in told["turns"]]
        return CallReport(
            call_id,
            str(told["state"]),
            tuple(one for one in said if one.theirs or one.ours),
            *(str(outcome.get(name, "")) for name in ("line_result", "disposition", "summary")),
        )

    def follow(self, call_id: str, *, sleep: Callable[[float], None] = time.sleep) -> Iterator[CallReport]:
        """Yield how a call stands, again and again until it is over.

        Raises:
            AgentError: the agent can't be reached any more.
        """
        while True:
            report = self.call(call_id)
            yield report
            if report.over:
                return
            sleep(EVERY_S)

    def ask(self, method: str, path: str, **given: Any) -> dict[str, Any]:
        """Ask the API for something that has no method here: a path below ``/api/v1``, and what httpx takes besides.

        Raises:
            DialRefused: a call is not allowed, or not now.
            AgentError: the agent can't be reached, or didn't do it.
        """
        try:
            answer = self._http.request(method, path, **given)
            told: dict[str, Any] = answer.json()
        except httpx.TransportError as error:
            fix = "start it with `telephony-agent serve`, or say where it is"
            raise AgentError(f"the agent at {self._url} can't be reached: {fix} ({error})") from error
        except ValueError as error:
            raise AgentError(f"what answers at {self._url} is no agent") from error
        if answer.is_success:
            return told
        message = str(told.get("error", answer.status_code))
        if "reason" in told:
            raise DialRefused(message, reason=str(told["reason"]), call_id=str(told.get("call_id") or ""))
        raise AgentError(message)


def dial(
    number: str,
    *,
    name: str = "",
    consent: str = "",
    zone: str = "",
    playbook: str = "",
    url: str = "",
    api_token: str = "",
) -> CallReport:
    """Let the agent that runs on this machine call somebody; wait until the call is over, and return what came of it.

    ::

        from telephony_agent import dial

        report = dial("+15005550006", name="Anna", consent="Yes, call me about the booking system.")
        print(report.disposition, report.summary)

    Args:
        number: in E.164 form.
        name: who is called.
        consent: the words in which they agreed to be called in writing, where the agent hasn't stored that.
        zone: their IANA zone, where the number doesn't tell it.
        playbook: as YAML, the playbook of this call; else the agent's own.
        url: where the agent listens; else where ``AGENT_HOST`` and ``AGENT_PORT`` say.
        api_token: its token; else ``AGENT_API_TOKEN``.

    Raises:
        DialRefused: it is not allowed, or not now: ``reason`` says why, ``str()`` what to do.
        AgentError: the agent can't be reached, or can't dial at all.
        SettingError: a setting is wrong, or there is no token.
    """
    with client_at(url, api_token) as client:
        *_, last = client.follow(client.dial(number, name=name, consent=consent, zone=zone, playbook=playbook))
    return last


def client_at(url: str, api_token: str) -> AgentClient:
    """Return a client of the agent there; what is empty is taken from the settings.

    Raises:
        SettingError: a setting is wrong, or there is no token.
    """
    if url and api_token:
        return AgentClient(url.rstrip("/"), api_token)
    settings = Settings(**({"AGENT_API_TOKEN": api_token} if api_token else {}))
    if url:
        return AgentClient(url.rstrip("/"), settings.server.api_token.get_secret_value())
    return AgentClient.of_settings(settings)
