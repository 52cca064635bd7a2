"""What this gateway shows, written back to a Redis that has lost it.

A new ingest begins where the stored prices end. Without them it only has REST's word, which may be
a minute old where the latest trade does not count.
"""

from itertools import islice

from redis.asyncio import Redis

from gateway.fanout.hub import Hub
from shared.bus import keys
from shared.topics import ACCOUNT, ORDERED, POSITION, kind_of

AT_ONCE = 500

_LEFT = {*ORDERED, POSITION, ACCOUNT}
"""The ingest tells positions anew, and one that was closed meanwhile must not come back."""

# Of several gateways, and of an ingest that publishes already, the newest keeps its word.
_WRITE_BACK = """
local function id_of(message)
  local epoch, seq = string.match(message or '', '^(%d+)-(%d+)')
  return tonumber(epoch or 0), tonumber(seq or 0)
end
for i, key in ipairs(KEYS) do
  local message = ARGV[i + 1]
  local epoch, seq = id_of(message)
  local stored_epoch, stored_seq = id_of(redis.call('GET', key))
  if epoch > stored_epoch or epoch == stored_epoch and seq > stored_seq then
    redis.call('SET', key, message, 'EX', ARGV[1])
  end
end
"""


class LastValues:
    """The newest value of the topics that the hub holds."""

    def __init__(self, client: Redis, hub: Hub) -> None:
        self._hub = hub
        self._script = client.register_script(_WRITE_BACK)

    async def write_back(self) -> None:
        """Store every value that is newer than what Redis has.

        Raises:
            RedisError, OSError: Redis is away; some may be stored already.
        """
        channels = iter([c for c in self._hub.channels.values() if kind_of(c.topic) not in _LEFT])
        while batch := list(islice(channels, AT_ONCE)):
            values = {keys.last_key(c.topic): packed for c in batch if (packed := c.packed())}
            if values:
                await self._script(keys=[*values], args=[keys.LAST_SECONDS, *values.values()])
