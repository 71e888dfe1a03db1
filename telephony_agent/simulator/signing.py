"""X-Twilio-Signature, made by Twilio's security page and not by its library: no misreading is shared."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from urllib.parse import urlsplit, urlunsplit

Form = tuple[tuple[str, str], ...]
"""Form fields in the order in which they are sent; a name may repeat."""


def sign(url: str, form: Iterable[tuple[str, str]], secret: str, *, digest: str = "sha1") -> str:
    """Sign a request: base64 of the HMAC over the URL and, by name, every form field without separators.

    Args:
        url: the public URL as Twilio was given it; for a media stream the ``wss`` URL of the TwiML.
        form: the POST's fields, blank ones too; nothing for a GET or for a media stream.
        secret: the account's primary auth token, or the shared key of the SHA-256 scheme.
        digest: ``sha1``, or ``sha256`` for requests that carry X-Twilio-Webhooks-Signature-Settings.
    """
    text = url + "".join(name + value for name, value in sorted(set(form)))
    mac = hmac.new(secret.encode(), text.encode(), digest).digest()
    return base64.b64encode(mac).decode("ascii")


def signed_url(url: str) -> str:
    """Bring a webhook's URL into the form that voice signs: no user, no fragment, and over https no port."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https" and parts.port is not None:
        host = host.rpartition(":")[0]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))
