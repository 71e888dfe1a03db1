"""A server's identity: a secret that the data folder keeps, bound to the port that the server listens on."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from telephony_agent.errors import SettingError

FILE_NAME = "identity"
_BYTES = 32


def server_identity(data_dir: Path, port: int) -> bytes:
    """Return the identity of the server on a port; its secret is made where there is none yet.

    Raises:
        SettingError: the data folder can't be read or written.
    """
    file = data_dir / FILE_NAME
    try:
        secret = _kept(file)
    except OSError as error:
        raise SettingError(f"AGENT_DATA_DIR={str(data_dir)!r}: can't be used: {error.strerror}; allowed: a folder "
                           "that this user may write to") from error  # fmt: skip
    return hmac.new(secret, str(port).encode(), hashlib.sha256).digest()


def _kept(file: Path) -> bytes:
    """Read the secret, or make it; of several processes that make it at once one wins."""
    if file.is_file() and len(secret := file.read_bytes()) == _BYTES:
        return secret
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{FILE_NAME}.{os.getpid()}")
    try:
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(secrets.token_bytes(_BYTES))
        if file.is_file() and file.stat().st_size != _BYTES:
            file.unlink(missing_ok=True)
        try:
            os.link(new, file)
        except OSError:
            # Another one was first, or this file system has no links.
            if not file.is_file():
                new.replace(file)
        return file.read_bytes()
    finally:
        new.unlink(missing_ok=True)
