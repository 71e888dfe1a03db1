"""Who may talk to our webhooks and our websocket: the check of ``X-Twilio-Signature``.

Twilio signs the URL that it was told to use. We never see that URL, only a request that came through a tunnel, so it is
rebuilt from the configured public URL. Where Twilio is known to vary, every variant is a candidate:

- the **port** is dropped in some products and kept in others;
- a **trailing slash** may have been added to the path, or be missing;
- the **websocket** is signed as ``wss://``, exactly as the TwiML named it: a signature over ``https://`` is refused;
- while an auth token is **rotated**, the old one signs until the new one is promoted.

All candidates need a secret of ours, so many are no weaker than one. The digest itself is that of the twilio package;
its ``RequestValidator.validate`` is not used, because it gives ``wss`` the default port 80, breaks IPv6 hosts, and
returns at the first difference in length.

Sources: Twilio, "Security" (docs/usage/security); twilio 9.13.0, ``request_validator.py``.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from twilio.request_validator import (  # type: ignore[import-untyped]
    HMAC_SHA1,
    HMAC_SHA256,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from telephony_agent.errors import SettingError

_DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


class SignatureCheck:
    """Tells Twilio's requests from all others. Holds secrets, keeps no state, may be shared by all requests."""

    def __init__(
        self, public_url: str, auth_tokens: Sequence[str], shared_keys: Mapping[str, str] | None = None
    ) -> None:
        """Prepare the check.

        Args:
            public_url: what Twilio was given, up to the path that we see: ``https://agent.example.com``.
            auth_tokens: the account's auth tokens; several while they are rotated. None at all refuses everything.
            shared_keys: secrets of the newer scheme by key id. A key that is not listed is tried against
                ``auth_tokens``, so a single list of secrets is enough too.

        Raises:
            SettingError: the URL is not an ``http`` or ``https`` base, or a secret is empty (which anyone could sign
                with).
        """
        self._base = _base(public_url)
        if not all(auth_tokens):
            raise SettingError("TWILIO_AUTH_TOKEN: one of the tokens is empty, allowed: non-empty, comma-separated")
        if not all((shared_keys or {}).values()):
            raise SettingError("a shared key for webhook signatures is empty")
        self._tokens = tuple(RequestValidator(token) for token in auth_tokens)
        self._shared = {key: (RequestValidator(secret),) for key, secret in (shared_keys or {}).items()}

    def http(self, path_and_query: str, params: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> bool:
        """Say whether Twilio signed this webhook.

        Args:
            path_and_query: as it stood in the request line, still percent-encoded (``scope["raw_path"]``).
            params: all form fields of a POST as decoded, in any order: blank ones, repeated ones and unknown ones
                included. Empty for GET.
            headers: the request's headers, names in any case.
        """
        schemes = (self._base.scheme,)
        return self._signed(self._candidates(schemes, path_and_query), _Form(params), headers)

    def websocket(self, path: str, headers: Mapping[str, str]) -> bool:
        """Say whether Twilio signed this upgrade; ask before accepting the websocket.

        Args:
            path: as it stood in the request line, still percent-encoded, without a query string, which Twilio strips.
            headers: the upgrade's headers, names in any case.
        """
        # Twilio itself speaks only wss; ws is for a public URL that never leaves the loopback interface.
        schemes = ("wss",) if self._base.scheme == "https" else ("wss", "ws")
        return self._signed(self._candidates(schemes, path), _Form(()), headers)

    def _candidates(self, schemes: Sequence[str], path_and_query: str) -> Iterator[str]:
        path, question_mark, query = path_and_query.partition("?")
        path = self._base.path + path
        bare = path.rstrip("/")
        for scheme in schemes:
            for netloc in _netlocs(self._base, scheme):
                for variant in dict.fromkeys((path, f"{bare}/", bare)):
                    yield f"{scheme}://{netloc}{variant}{question_mark}{query}"

    def _signed(self, urls: Iterator[str], form: _Form, headers: Mapping[str, str]) -> bool:
        lower = {name.lower(): value for name, value in headers.items()}
        signature = lower.get(SIGNATURE_HEADER.lower(), "")
        settings = lower.get(SIGNATURE_SETTINGS_HEADER.lower(), "")
        algorithm = get_signature_algorithm(settings).upper()
        if not signature or algorithm not in (HMAC_SHA1, HMAC_SHA256):
            return False
        validators = self._shared.get(_key_id(settings), self._tokens)
        claimed = signature.encode("utf-8", "backslashreplace")
        try:
            return any(
                hmac.compare_digest(validator.compute_signature(url, form, algorithm).encode(), claimed)
                for url in urls
                for validator in validators
            )
        except UnicodeEncodeError:
            # A lone surrogate has no bytes that anyone could have signed.
            return False


class _Form:
    """Form fields as the twilio package wants them where names repeat: names by iteration, values by ``getall``."""

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in fields:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getall(self, name: str) -> list[str]:
        return self._values[name]


def _base(public_url: str) -> SplitResult:
    allowed = "allowed: https://host, with an optional port and path, without query or fragment"
    try:
        parts = urlsplit(public_url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError as error:
        raise SettingError(f"AGENT_PUBLIC_URL={public_url!r}: {error}; {allowed}") from error
    if not usable or parts.query or parts.fragment:
        raise SettingError(f"AGENT_PUBLIC_URL={public_url!r}: {allowed}")
    return parts._replace(path=parts.path.rstrip("/"))


def _netlocs(base: SplitResult, scheme: str) -> tuple[str, str]:
    """Name the host without a port and with one; Twilio never signs ``user:password@``."""
    host_and_port = base.netloc.rpartition("@")[2]
    host = host_and_port if base.port is None else host_and_port[: host_and_port.rindex(":")]
    return host.rstrip(":"), f"{host.rstrip(':')}:{base.port or _DEFAULT_PORTS[scheme]}"


def _key_id(settings: str) -> str:
    for part in settings.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "key":
            return value.strip()
    return ""
