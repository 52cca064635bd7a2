from functools import partial
from pathlib import Path

import pytest

from gateway import composition
from gateway.http.page import Page
from tests.gateway.page_build import build_page
from tests.gateway.portable import Run, running_portably
from tests.services import running_gateway


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of both transports on ``memory://`` with one of them: neither knows the store."""
    if "run" not in metafunc.fixturenames:
        return
    transport, portable = running_gateway, running_portably
    if "any_source" not in metafunc.fixturenames:
        metafunc.parametrize(
            "run", [transport, portable], ids=["transport", "portable"], indirect=True
        )
        return
    metafunc.parametrize(
        ("any_source", "run"),
        [("valkey", transport), ("valkey", portable), ("memory", transport)],
        ids=["valkey-transport", "valkey-portable", "memory-transport"],
        indirect=True,
    )


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """The same test where streams write to the transport, and where the server offers none."""
    found: Run = request.param
    return found


@pytest.fixture
def built_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the page that gateways of this test serve."""
    folder = build_page(tmp_path / "page")
    monkeypatch.setattr(composition, "Page", partial(Page, folder))
    return folder
