"""Random faults against the real processes, with the invariants checked throughout.

``python -m tests.chaos --faults 200 --seed 7``; the plan that it prints replays it.
"""
