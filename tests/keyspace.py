"""The names of keys and channels in a Redis that one deployment has for itself."""

from typing import Final

from shared.bus.keys import Keyspace

KEYSPACE: Final = Keyspace()
