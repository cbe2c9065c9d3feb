"""Ladders: rungs × seeds × folds, planned as jobs, run anywhere, judged from records.

What reads a ladder (`spec`, `state`, `judge`, `results`) loads no deep learning; what plans and runs one
(`design`, `run`) does, when it is called.
"""
