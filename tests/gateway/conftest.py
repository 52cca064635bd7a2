import pytest

from tests.gateway.portable import Run, running_portably
from tests.services import running_gateway


@pytest.fixture(params=[running_gateway, running_portably], ids=["transport", "portable"])
def run(request: pytest.FixtureRequest) -> Run:
    """The same test where streams write to the transport, and where the server offers none."""
    found: Run = request.param
    return found
