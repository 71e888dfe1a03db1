"""The parts of ``scripts/bench_calls.py``: its server, its callers, its figures."""
