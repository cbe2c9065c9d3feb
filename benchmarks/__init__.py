"""Benchmarks of imgcls: its speed, and how often its verdicts are right. See `python -m benchmarks --help`."""
