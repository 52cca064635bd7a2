"""The broker: orders, positions and the ledger."""
