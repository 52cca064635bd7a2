"""A capture of `python -m ingest --record`: its file, its streams and its REST, served again."""
