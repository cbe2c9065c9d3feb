"""Ladders: rungs × seeds × folds, planned as jobs, run anywhere, judged from records.

What reads a ladder (`spec`, `state`, `judge`, `effects`) loads no deep learning; what plans and runs one
(`plan_ladder`, `job`, `climb`) does, when it is called.
"""
