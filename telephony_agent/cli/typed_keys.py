"""Keys that are typed on the terminal while something else goes on, one by one, without Enter."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def typed_keys(terminal: TextIO, press: Callable[[str], None]) -> Iterator[bool]:
    """Hand each key that is typed to ``press``, on the event loop, for the length of a ``with`` block.

    Yields whether keys can be typed at all: not where standard input is no terminal, nor on Windows.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield False
        return
    if not terminal.isatty():
        yield False
        return
    file = terminal.fileno()
    loop = asyncio.get_running_loop()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    loop.add_reader(file, lambda: press(os.read(file, 64).decode(errors="ignore")))
    try:
        yield True
    finally:
        loop.remove_reader(file)
        termios.tcsetattr(file, termios.TCSADRAIN, before)
