from functools import partial
from pathlib import Path

import pytest

from gateway import composition
from gateway.http.page import Page
from tests.gateway.page_build import build_page
from tests.gateway.portable import Run, running_portably
from tests.services import running_gateway


@pytest.fixture(params=[running_gateway, running_portably], ids=["transport", "portable"])
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
