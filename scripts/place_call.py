#!/usr/bin/env python3
"""Let the agent call somebody, from a script of your own: python scripts/place_call.py +15005550006 Anna.

Start the agent first (telephony-agent serve) and set AGENT_API_TOKEN to its token. Whoever you call must have agreed to
that in writing: put their words where this says so.
"""

from __future__ import annotations

import sys

from telephony_agent import AgentError, dial


def main(number: str, name: str) -> None:
    """Call, and print what came of it."""
    try:
        report = dial(number, name=name, consent="Yes, you may call me about the booking system.")
    except AgentError as error:
        sys.exit(f"not called: {error}")
    for said in report.said:
        for who, words in (("they: ", said.theirs), ("agent:", said.ours)):
            if words:
                print(who, words)
    print(report.disposition, "-", report.summary)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
