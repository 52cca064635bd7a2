"""Random faults against the real processes, with what must hold all the time checked all the time.

``python -m tests.chaos --faults 200 --seed 7``; the plan that it prints replays it.
"""
