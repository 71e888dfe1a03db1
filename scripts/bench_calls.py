#!/usr/bin/env python3
"""Soak the server in calls: one after the other, then many at once; count failures, measure pace, look for leaks.

The server is the real one in a process of its own, on a real socket, with its database; only its engines are scripted,
so that what is measured is everything but the models. The callers are the simulator's.

    scripts/bench_calls.py            1,000 calls in a row, then 25 at once for 10 minutes
    scripts/bench_calls.py --short    60 in a row, then 8 at once for 10 s

What the figures mean:

failed
    A call that was not served to its end: no stream, no audible greeting, a turn without an audible reply, a message
    that Twilio would not act on, or an end that wasn't the caller's.
pace jitter, reserve, gaps
    How evenly audio goes out, how far ahead, and how often not in time (``scripts/call_bench/figures.py``), taken at
    the client. The scheduling of the client is in it; its own lag is printed beside it.
memory, tasks, threads, descriptors
    The server's own, from ``GET /metrics``: the mean of a phase's first half and of its second one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VIRTUAL_ENVIRONMENT = ROOT / ".venv"


def main() -> None:
    """Run the bench and print its figures."""
    python = VIRTUAL_ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) != VIRTUAL_ENVIRONMENT and python.exists():
        os.execv(python, [str(python), *sys.argv])
    sys.path.insert(0, str(ROOT))
    from scripts.call_bench.bench import LONG, SHORT, Load, bench
    from scripts.call_bench.figures import report

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="60 calls in a row, 8 at once for 10 s")
    parser.add_argument("--in-a-row", type=int, help="how many calls in a row")
    parser.add_argument("--at-once", type=int, help="how many calls at once")
    parser.add_argument("--for-s", type=float, help="for how many seconds")
    chosen = parser.parse_args()
    usual = SHORT if chosen.short else LONG
    load = Load(
        usual.in_a_row if chosen.in_a_row is None else chosen.in_a_row,
        usual.at_once if chosen.at_once is None else chosen.at_once,
        usual.for_s if chosen.for_s is None else chosen.for_s,
    )
    phases = asyncio.run(bench(load))
    print("\n".join(map(report, phases)))
    sys.exit(any(len(phase.flaws) > 0.001 * phase.calls for phase in phases))


if __name__ == "__main__":
    main()
