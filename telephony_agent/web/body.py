"""Reads the body of a request, and not more of it than the route can bear."""

from __future__ import annotations

from starlette.requests import Request

JSON_LIMIT = 64 * 1024


class BodyTooLarge(Exception):
    """A request brings more than its route takes; the message says how much that is."""


async def body_of(request: Request, limit: int = JSON_LIMIT) -> bytes:
    """Read a body of at most so many bytes.

    Raises:
        BodyTooLarge: it is longer; the rest isn't read.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"the body is too long: at most {limit} bytes are taken here")
    return bytes(body)
