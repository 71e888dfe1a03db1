"""A tunnel's public end on loopback: TCP connections, with TLS or without, led to a port and rewritten on the way."""

from __future__ import annotations

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

Rewrite = Callable[[bytes], bytes]


def unchanged(data: bytes) -> bytes:
    """Pass everything as it is."""
    return data


@dataclass
class Door:
    """An open door: where it is, where it leads, and what it makes of what passes."""

    port: int
    leads_to: int
    request: Rewrite = unchanged
    answer: Rewrite = unchanged


class _Passage(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        door = self.server.door
        with suppress(OSError), socket.create_connection(("127.0.0.1", door.leads_to)) as inside:
            tls = self.server.tls
            with tls.wrap_socket(self.request, server_side=True) if tls else self.request as outside:
                back = threading.Thread(target=_pump, args=(inside, outside, door.answer), daemon=True)
                back.start()
                _pump(outside, inside, door.request)
                back.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    door: Door
    tls: ssl.SSLContext | None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections that break are part of the tests."""


def _pump(source: socket.socket, sink: socket.socket, rewrite: Rewrite) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(rewrite(data))
    for end in (sink, source):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def door(leads_to: int, certificate: Path | None = None) -> Iterator[Door]:
    """Open a door to a port; ``certificate`` is a file with a key and its certificate."""
    with _Server(("127.0.0.1", 0), _Passage) as server:
        server.door = Door(server.server_address[1], leads_to)
        server.tls = None
        if certificate is not None:
            server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.tls.load_cert_chain(certificate)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server.door
        finally:
            server.shutdown()
            thread.join()


def made_certificate(folder: Path) -> Path:
    """Make a key and a certificate for ``localhost`` that signs itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes a certificate for the tests, is not installed")
    file = folder / "localhost.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-x509", "-days", "2"]
    command = [openssl, "req", *kind, *subject, "-keyout", str(file), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (folder / "certificate.pem").read_text())
    return file
