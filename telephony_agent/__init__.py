"""A phone agent for your own machine: it answers Twilio calls with local speech and language models."""

__all__ = ["__version__"]
__version__ = "0.1.0"
