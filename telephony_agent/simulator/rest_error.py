"""Twilio's refusals over REST: numbers, messages, and the body that carries them.

The messages of 20003, 20404, 21201 and 21205 are captured; the others say the same as Twilio's pages in other words.
"""

from __future__ import annotations

from typing import Any

from telephony_agent.errors import TelephonyAgentError


class RestError(TelephonyAgentError):
    """A request that Twilio would refuse, with its HTTP status and its own number."""

    code = "rest"

    def __init__(self, number: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.number = number
        self.status = status

    def body(self) -> dict[str, Any]:
        """Give the JSON of the answer."""
        return {
            "code": self.number,
            "message": str(self),
            "more_info": f"https://www.twilio.com/docs/errors/{self.number}",
            "status": self.status,
        }


def not_authenticated() -> RestError:
    """No credentials, or wrong ones."""
    return RestError(20003, "Authenticate", status=401)


def not_found(path: str) -> RestError:
    """There is no such resource."""
    return RestError(20404, f"The requested resource {path} was not found", status=404)


def too_many_requests() -> RestError:
    """More requests than the limit allows."""
    return RestError(20429, "Too Many Requests", status=429)


def wrong_field(name: str, value: str) -> RestError:
    """A field that holds what it may not."""
    return RestError(21200, f"Invalid value for {name}: {value}")


def call_is_over() -> RestError:
    """An update of a call that has ended."""
    return RestError(21220, "Invalid call state: the call is not in-progress. Cannot redirect or end it.")
