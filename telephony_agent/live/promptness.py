"""Lets the event loop wake in time in a process whose threads compute: the interpreter's defaults favour the threads.

Measured with ``scripts/bench_calls.py``; docs/bench.md has the figures.
"""

from __future__ import annotations

import gc
import sys

SWITCH_S = 0.0005
"""How long a thread may keep the interpreter while the event loop waits for it; Python's default is 5 ms."""


def favour_event_loop() -> None:
    """Let no thread keep the interpreter from the event loop for long. Holds for the whole process."""
    sys.setswitchinterval(SWITCH_S)


def spare_what_stays() -> None:
    """Take all that exists now out of the garbage collector's sight: a full pass over it stops every call.

    For the moment when everything is loaded that the process keeps to its end.
    """
    gc.collect()
    gc.freeze()
