"""From topics to the bytes of each client, and when. It knows no protocol, no Redis, no HTTP."""
