"""The whole examination: which checks there are, in which order, and what is served while they look from outside."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from telephony_agent.cli.doctor import account, address, engines, machine, memory, trial_call
from telephony_agent.cli.doctor.finding import Check, Finding, Grade, looked_at
from telephony_agent.cli.doctor.patient import Patient
from telephony_agent.cli.identity import server_identity
from telephony_agent.errors import SettingError

SPEED_LIMIT_S = 120.0
CALL_LIMIT_S = trial_call.READY_WITHIN_S + trial_call.CALL_WITHIN_S + 20


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found."""

    name: str
    finding: Finding

    def as_json(self) -> dict[str, str]:
        """Return it for ``--json``."""
        found = self.finding
        return {"name": self.name, "grade": found.grade.value, "seen": found.seen, "fix": found.fix}


@dataclass(frozen=True, slots=True)
class Examination:
    """All results, in the order in which they were found."""

    results: tuple[Result, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; warnings are no faults."""
        return all(result.finding.grade is not Grade.WRONG for result in self.results)


def new_patient() -> Patient:
    """Read the settings and who this server is.

    Raises:
        SettingError: a setting is wrong even at its default, as others want it.
    """
    settings, problems = account.readable_settings()
    try:
        identity = server_identity(settings.store.data_dir, settings.server.port)
    except SettingError:
        # The data folder's check tells it. Nobody is known by this one, but the stand-in.
        identity = secrets.token_bytes(32)
    return Patient(settings, problems, identity)


async def examine(patient: Patient, *, quick: bool, announce: Callable[[str], None]) -> Examination:
    """Run every check, one after the other: a measurement must not be disturbed by the next.

    Args:
        patient: what is examined; the checks note on it what later ones need.
        quick: leave out what loads the models: the measurement and the call.
        announce: told the name of each check before it begins.
    """
    results: list[Result] = []

    async def run(checks: tuple[Check, ...]) -> None:
        for check in checks:
            announce(check.name)
            results.append(Result(check.name, await check.find()))

    await run(_at_home(patient))
    await run(_at_twilio(patient))
    async with address.stand_in(patient):
        await run(_from_outside(patient))
    if not quick:
        await run(_at_work(patient))
    return Examination(tuple(results))


def _at_home(patient: Patient) -> tuple[Check, ...]:
    settings = patient.settings
    return (
        Check("Python", looked_at(machine.python)),
        Check("packages", looked_at(machine.packages)),
        Check("settings", partial(account.settings, patient)),
        Check("voice", looked_at(partial(machine.voice, settings.model, settings.call)), limit_s=40.0),
        Check("data folder", looked_at(partial(machine.data_folder, settings.store))),
        Check("disk", looked_at(partial(machine.disk, settings.store))),
        Check("database", partial(memory.database, settings.store)),
        Check("models", looked_at(partial(engines.models, settings.model)), limit_s=30.0),
    )


def _at_twilio(patient: Patient) -> tuple[Check, ...]:
    return (
        _of(patient, "clock", account.clock),
        _of(patient, "account", account.account, limit_s=25.0),
        _of(patient, "number", account.number),
        _of(patient, "port", address.port),
    )


def _from_outside(patient: Patient) -> tuple[Check, ...]:
    return (
        _of(patient, "public URL", address.public_url),
        _of(patient, "tunnel", address.tunnel),
        _of(patient, "signatures", address.signatures),
        _of(patient, "media stream", address.media_stream),
    )


def _at_work(patient: Patient) -> tuple[Check, ...]:
    return (
        Check("speed", looked_at(partial(engines.speed, patient.settings)), limit_s=SPEED_LIMIT_S),
        _of(patient, "call", trial_call.call, limit_s=CALL_LIMIT_S),
    )


def _of(patient: Patient, name: str, look: Callable[[Patient], Awaitable[Finding]], *, limit_s: float = 15.0) -> Check:
    return Check(name, partial(look, patient), limit_s)
