"""Stateless fan-out: topics from Redis in, Server-Sent Events out. Never decodes a tick."""
