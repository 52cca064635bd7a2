"""When the claims of a gateway in Redis, of topics and of streams, are renewed and released."""

RENEW_SECONDS = 5.0

CLAIM_RETRY_SECONDS = 0.5
"""The pause before the next attempt while Redis is unreachable."""

RELEASE_SECONDS = 1.0
"""How long the end of the process may wait for the release; unreleased claims expire."""
