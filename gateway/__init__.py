"""Stateless fan-out: topics from Redis in, Server-Sent Events out. Prices pass undecoded."""
