"""A phone agent for your own machine: it answers and places Twilio calls with local speech and language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from telephony_agent.client import AgentError, CallReport, DialRefused, dial

__all__ = ["AgentError", "CallReport", "DialRefused", "__version__", "dial"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what is public when it is first asked for: the workers of the engines need none of it."""
    if name in __all__:
        from telephony_agent import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
