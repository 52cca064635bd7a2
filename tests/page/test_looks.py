"""How the page looks: nothing that axe-core calls serious, and pictures for people."""

from pathlib import Path

import pytest

from shared.bus.redis_source import RedisSource
from simulator.service import Simulator
from tests.page.screen import PRICE, Screen, cell, position
from tests.services import running_gateway

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS = {
    "light": {"width": 1280, "height": 800, "dark": False},
    "dark": {"width": 1280, "height": 800, "dark": True},
    "narrow": {"width": 390, "height": 844, "dark": True},
}


@pytest.mark.parametrize("look", LOOKS)
async def test_it_keeps_nobody_out_and_fits_its_window(
    screen: Screen, source: RedisSource, market: Simulator, look: str, pictures: Path
) -> None:
    async with running_gateway(source) as url, screen:
        await screen.do("size", **LOOKS[look])
        await screen.open(url)
        await screen.live()
        await screen.until(cell("AIG", "price"), PRICE)
        await screen.until(position("IBM", "time"), r"^\d+ (s|min|h)$")
        assert await screen.do("axe") == []
        assert await screen.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await screen.do("screenshot", path=str(pictures / f"page-{look}.png"))
