"""The contract of ingest and gateway: topics, keys, messages, settings, logs."""
