"""One Valkey for all tests of a run that only store and publish; every test finds it new.

A test that stops, kills or configures its server asks for the fixture ``valkey``, which is private.
"""

from typing import Any

from redis import Redis

from shared.bus.valkey_server import ValkeyServer


class SharedValkey:
    """A running server that is emptied between two tests."""

    def __init__(self, server: ValkeyServer) -> None:
        self.url = server.url
        self._redis = Redis.from_url(server.url, client_name="between-tests")
        self._settings = self._read_settings()

    def empty(self) -> None:
        """Remove all that a test has left: data, scripts, connections and counters."""
        with self._redis.pipeline(transaction=False) as batch:
            # Connections first: what a leftover client still writes would survive the rest.
            batch.client_kill_filter(_type="normal", skipme=True)
            batch.client_kill_filter(_type="pubsub")
            batch.flushall()
            batch.script_flush()
            batch.config_resetstat()
            batch.execute()

    def altered_settings(self) -> dict[str, Any]:
        """Return the settings that a test has changed, and put them back."""
        found = self._read_settings()
        altered = {name: found[name] for name in found if found[name] != self._settings[name]}
        for name in altered.keys() - {"acl"}:
            self._redis.config_set(name, self._settings[name])
        return altered

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()

    def _read_settings(self) -> dict[str, Any]:
        config: Any = self._redis.config_get()
        return {**config, "acl": self._redis.acl_list()}
