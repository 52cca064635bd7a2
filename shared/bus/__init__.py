"""Redis, as the ingest and the gateways both use it."""
