"""``python -m telephony_agent`` is ``telephony-agent``."""

from telephony_agent.cli.main import main

main()
