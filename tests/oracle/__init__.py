"""An independent reading of a tape: brute force over every print, with no code of the ingest.

``python -m tests.oracle TAPE...`` compares the product with it over whole recorded days, plain and
mutated.
"""
