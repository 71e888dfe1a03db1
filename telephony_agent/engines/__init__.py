"""The engines: blocking compute behind the small Protocols of :mod:`telephony_agent.engines.base`, one a module."""
