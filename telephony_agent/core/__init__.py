"""The pure part of a call: no clock, no I/O, no threads; everything that decides what a call does."""
