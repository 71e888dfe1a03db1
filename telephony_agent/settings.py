"""Every setting, one section a concern: the only reader of the environment and of ``.env``.

The command line builds ``Settings`` once; each part of the program is given its own section. A wrong value is one
``SettingError`` that names the variable, its value and what is allowed. ``.env.example`` lists every variable.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from telephony_agent.errors import SettingError


class ModelSet(StrEnum):
    """Which models are the default."""

    POCKET = "pocket"
    STANDARD = "standard"


class VadKind(StrEnum):
    """Which voice detector listens."""

    BOTH = "both"
    WEBRTC = "webrtc"
    SILERO = "silero"


class TurnEnd(StrEnum):
    """What decides that the caller is done."""

    WORDS = "words"
    MODEL = "model"
    SILENCE = "silence"


class MachineSense(StrEnum):
    """How a machine that answers our call is told from a person."""

    BOTH = "both"
    ASYNC = "async"
    LISTEN = "listen"
    OFF = "off"

    @property
    def asks_carrier(self) -> bool:
        """Whether the carrier is asked to listen beside us."""
        return self in (MachineSense.BOTH, MachineSense.ASYNC)

    @property
    def listens(self) -> bool:
        """Whether we listen ourselves: for the words of a recording, and for the beep."""
        return self in (MachineSense.BOTH, MachineSense.LISTEN)


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


MIN_SECRET = 16
"""Characters of a secret that can't be guessed."""


class _Section(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="AGENT_", env_file=".env", env_file_encoding="utf-8", extra="ignore", env_ignore_empty=True,
        frozen=True,
    )  # fmt: skip


class TwilioSettings(_Section):
    """The Twilio account. Auth tokens are secret; several, comma-separated, while they are rotated."""

    model_config = SettingsConfigDict(env_prefix="TWILIO_")

    account_sid: str = ""
    auth_token: SecretStr = SecretStr("")
    phone_number: Annotated[str, Field(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """The auth tokens, as a tuple."""
        return tuple(token for part in self.auth_token.get_secret_value().split(",") if (token := part.strip()))


class ServerSettings(_Section):
    """Where the server listens, how the world reaches it, and whom it lets in."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: str = ""
    api_token: SecretStr = SecretStr("")
    allow_unsigned: bool = False
    max_calls: Annotated[int, Field(ge=0, le=1000)] = 0
    """The hard cap; 0: only what the engines were measured to take decides."""
    transfer_number: Annotated[str, Field(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 30.0
    """How long live calls may go on when the server is told to stop; then they take leave."""
    twilio_api_url: str = "https://api.twilio.com"

    @field_validator("twilio_api_url")
    @classmethod
    def _private(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        parts = urlsplit(value)
        if not parts.hostname or parts.query or parts.fragment or parts.username or not _is_private(value):
            raise ValueError("allowed: an https:// address (http:// only on loopback), since the auth token goes there")
        return value

    @field_validator("public_url")
    @classmethod
    def _https(cls, value: str) -> str:
        value = value.strip().rstrip("/")
        if not value:
            return value
        parts = urlsplit(value)
        if not parts.hostname or parts.query or parts.fragment:
            raise ValueError("allowed: https://your-domain, without query")
        if not _is_private(value):
            raise ValueError("allowed: an https:// address (http:// only on loopback), since Twilio needs TLS")
        return value

    @model_validator(mode="after")
    def _unsigned_on_loopback_only(self) -> Self:
        if self.allow_unsigned and not is_loopback(self.host):
            raise ValueError(
                f"AGENT_ALLOW_UNSIGNED=true is refused while AGENT_HOST={self.host!r}; "
                "allowed: only on loopback (127.0.0.1), or false"
            )
        return self

    @property
    def base_url(self) -> str:
        """The public URL; the listening address where none is set."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"


class ModelSettings(_Section):
    """Which models, and how they speak and listen."""

    models: ModelSet = ModelSet.STANDARD
    stt_model: str = ""
    stt_window: Annotated[str, Field(pattern="^(auto|30)$")] = "auto"
    llm_model: str = ""
    llm_dtype: Annotated[str, Field(pattern="^(auto|float32|bfloat16)$")] = "auto"
    llm_max_tokens: Annotated[int, Field(ge=8, le=1000)] = 120
    tts_voice: str = ""
    tts_rate: Annotated[int, Field(ge=80, le=400)] = 175
    tts_volume: Annotated[float, Field(ge=0.1, le=1.0)] = 1.0
    vad: VadKind = VadKind.BOTH
    engine_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Compute threads of all engines in sum; 0: one per core."""


class CallSettings(_Section):
    """How a call goes: the playbook, the waits, the limits."""

    playbook: Path | None = None
    turn_end: TurnEnd = TurnEnd.MODEL
    endpoint_ms: Annotated[int, Field(ge=200, le=3000)] = 480
    reprompt_after_s: Annotated[float, Field(ge=2, le=60)] = 7.0
    max_call_s: Annotated[float, Field(ge=10, le=14400)] = 1800.0
    stt_deadline_s: Annotated[float, Field(ge=0.5, le=60)] = 6.0
    llm_deadline_s: Annotated[float, Field(ge=0.5, le=120)] = 20.0
    tts_deadline_s: Annotated[float, Field(ge=0.5, le=60)] = 5.0
    tool_deadline_s: Annotated[float, Field(ge=0.5, le=60)] = 10.0


CONSENTS = ("written", "express", "inquiry", "customer")
"""The bases of consent that there are, the strongest first."""
RING_AT_LEAST_S = 15
"""Of the Telemarketing Sales Rule (16 CFR 310.4(b)(4)(ii)): who rings shorter abandons the call."""


class DialSettings(_Section):
    """Whom the agent may call, when and how often, and how. Hours are local to the called party."""

    call_opens: Annotated[int, Field(ge=0, le=23)] = 8
    call_closes: Annotated[int, Field(ge=1, le=23)] = 21
    attempts_per_day: Annotated[int, Field(ge=1, le=20)] = 3
    daily_cap: Annotated[int, Field(ge=0, le=100_000)] = 200
    """The most calls in 24 hours, to all numbers together."""
    countries: str = "US"
    consents: str = "written"
    caller_id: Annotated[str, Field(pattern=r"^(\+[1-9]\d{6,14})?$")] = ""
    amd: MachineSense = MachineSense.BOTH
    ring_timeout_s: Annotated[int, Field(ge=RING_AT_LEAST_S, le=120)] = 30

    @field_validator("countries")
    @classmethod
    def _countries(cls, value: str) -> str:
        names = _listed(value.upper())
        if not names or not all(len(name) == 2 and name.isascii() and name.isalpha() for name in names):
            raise ValueError("allowed: countries by their two letters, such as US or US,CA")
        return ",".join(names)

    @field_validator("consents")
    @classmethod
    def _consents(cls, value: str) -> str:
        names = _listed(value.lower())
        if not names or not set(names) <= set(CONSENTS):
            raise ValueError(f"allowed: one or more of {', '.join(CONSENTS)}")
        return ",".join(names)

    @model_validator(mode="after")
    def _open_before_closing(self) -> Self:
        if self.call_opens >= self.call_closes:
            raise ValueError(
                f"AGENT_CALL_CLOSES={self.call_closes}: allowed: an hour after AGENT_CALL_OPENS={self.call_opens}"
            )
        return self

    @property
    def allowed_countries(self) -> tuple[str, ...]:
        """The ISO codes of the countries that may be called."""
        return _listed(self.countries)

    @property
    def allowed_consents(self) -> tuple[str, ...]:
        """The bases of consent that suffice."""
        return _listed(self.consents)


class LogSettings(_Section):
    """What is logged and traced. The log holds a caller's words only when ``log_transcripts`` is on; a trace does."""

    log_level: LogLevel = LogLevel.INFO
    log_json: bool = False
    log_transcripts: bool = False
    trace_dir: Path | None = None

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) and value.upper() in LogLevel.__members__ else value


Days = Annotated[int, Field(ge=1, le=36500)] | None


class StoreSettings(_Section):
    """Where calls are remembered, whether they are recorded, and for how many days data are kept; None: for good."""

    data_dir: Path = Path(".telephony-agent")
    record: bool = False
    database_url: SecretStr = SecretStr("")
    keep_recordings_days: Days = None
    keep_transcripts_days: Days = None
    keep_calls_days: Days = None
    keep_leads_days: Days = None


class OutcomeSettings(_Section):
    """Who is told of each call's outcome; ``off`` is nobody. The address is secret: many services put a key into it."""

    model_config = SettingsConfigDict(env_prefix="AGENT_OUTCOME_")

    webhook: SecretStr = SecretStr("")
    secret: SecretStr = SecretStr("")

    @field_validator("webhook")
    @classmethod
    def _https(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value().strip()
        if url == "off":
            return SecretStr("")
        if url and not (urlsplit(url).hostname and _is_private(url)):
            raise ValueError("allowed: an https:// address (http:// only on loopback), since outcomes name people")
        return SecretStr(url)

    @model_validator(mode="after")
    def _signed(self) -> Self:
        if self.webhook.get_secret_value() and len(self.secret.get_secret_value()) < MIN_SECRET:
            raise ValueError(
                f"AGENT_OUTCOME_SECRET=(secret): allowed: at least {MIN_SECRET} characters, since "
                "AGENT_OUTCOME_WEBHOOK is set and what goes there is signed"
            )
        return self


_S = TypeVar("_S", bound=_Section)


class Settings:
    """All sections, read once from the environment and ``.env``."""

    def __init__(self, **overrides: str) -> None:
        """Read everything.

        Args:
            overrides: variables that take precedence, by their full names (``AGENT_PORT="9000"``).

        Raises:
            SettingError: the first wrong value.
        """
        self.twilio = _read(TwilioSettings, overrides)
        self.server = _read(ServerSettings, overrides)
        self.model = _read(ModelSettings, overrides)
        self.call = _read(CallSettings, overrides)
        self.dial = _read(DialSettings, overrides)
        self.log = _read(LogSettings, overrides)
        self.store = _read(StoreSettings, overrides)
        self.outcome = _read(OutcomeSettings, overrides)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listed(value: str) -> tuple[str, ...]:
    """Return the parts of a value with commas, without what is blank."""
    return tuple(part for piece in value.split(",") if (part := piece.strip()))


def _is_private(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent to a URL: by TLS, or because it stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname is not None and is_loopback(parts.hostname)
    )


def _read(section: type[_S], overrides: Mapping[str, str]) -> _S:
    prefix = section.model_config["env_prefix"]
    given: dict[str, Any] = {
        field: overrides[name] for field in section.model_fields if (name := f"{prefix}{field}".upper()) in overrides
    }
    try:
        return section(**given)
    except ValidationError as error:
        raise SettingError(_one_line(section, error)) from error


def _one_line(section: type[_Section], error: ValidationError) -> str:
    first = error.errors()[0]
    if not first["loc"]:
        return str(first["ctx"]["error"])
    field = str(first["loc"][0])
    name = f"{section.model_config['env_prefix']}{field}".upper()
    secret = section.model_fields[field].annotation is SecretStr
    value = "(secret)" if secret else repr(first["input"])
    rule = str(first["ctx"]["error"]) if first["type"] == "value_error" else _allowed(section, field, first["msg"])
    return f"{name}={value}: {rule}"


def _allowed(section: type[_Section], field: str, message: str) -> str:
    """Say what a field takes, from its own constraints."""
    described = section.model_json_schema()["properties"][field]
    if "$ref" in described:
        described = section.model_json_schema()["$defs"][described["$ref"].rsplit("/", 1)[1]]
    described = next((kind for kind in described.get("anyOf", ()) if "minimum" in kind), described)
    if "enum" in described:
        return f"allowed: {', '.join(map(str, described['enum']))}"
    if "minimum" in described and "maximum" in described:
        return f"allowed: a number from {described['minimum']:g} to {described['maximum']:g}"
    if described.get("type") == "boolean":
        return "allowed: true or false"
    if described.get("pattern", "").startswith(r"^(\+"):
        return "allowed: a number in E.164 form, such as +15005550006"
    if "pattern" in described:
        return f"allowed: {described['pattern'].strip('^$()').replace('|', ', ')}"
    return message
