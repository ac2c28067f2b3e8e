"""Faults, injected into a stack of its own while batches run, and what must hold afterwards.

`make chaos RUNS=5 SEED=1` runs the long form; `test_chaos.py` a short one with fixed seeds.
"""
