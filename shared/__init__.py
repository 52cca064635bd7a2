"""What ingest and gateway agree on: topics, keys, messages, settings, logs. It knows neither."""
