"""How many streams a gateway has."""

import httpx

from tests.services import until


async def streams(url: str, count: int) -> None:
    """Wait until a gateway has so many streams; Redis may still list streams of other gateways."""

    async def counted() -> bool:
        async with httpx.AsyncClient() as client:
            status = (await client.get(f"{url}/api/stream/status")).json()
        mine: int = status["gateways"][0]["clients"]
        return mine == count

    await until(counted)
