from collections.abc import Iterator

import pytest

from flotilla.client import Flotilla
from tests.doubles.gateway import GatewayDouble


@pytest.fixture(scope="module")
def served() -> Iterator[GatewayDouble]:
    with GatewayDouble() as double:
        yield double


@pytest.fixture
def gateway(served: GatewayDouble) -> GatewayDouble:
    served.reset()
    return served


@pytest.fixture
def flotilla(gateway: GatewayDouble) -> Iterator[Flotilla]:
    with Flotilla(gateway.url) as client:
        yield client
