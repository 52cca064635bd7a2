"""``bench ingest --kinds``: the ingest's CPU for a message of each kind, beside a stock trade's."""
