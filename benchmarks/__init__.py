"""Benchmarks of imgcls against what a fastai user would write: `python -m benchmarks --help`."""
