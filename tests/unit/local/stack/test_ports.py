import socket
import tempfile
from pathlib import Path

from flotilla.local.stack.options import Ports
from flotilla.local.stack.ports import choose_ports, is_free, reserved_ports

ANY = Ports(gateway=0, redis=0, cache=0, qdrant=0, flower=0)


def listening() -> socket.socket:
    server = socket.create_server(("127.0.0.1", 0))
    server.listen()
    return server


def test_free_ports_are_given_as_asked() -> None:
    asked = choose_ports(ANY, "127.0.0.1")
    assert choose_ports(asked, "127.0.0.1") == asked


def test_a_taken_port_gives_way_to_another() -> None:
    with listening() as server:
        taken = server.getsockname()[1]
        assert not is_free("127.0.0.1", taken)
        chosen = choose_ports(ANY.model_copy(update={"gateway": taken}), "127.0.0.1")
    assert chosen.gateway > taken


def test_a_port_of_last_time_is_kept_while_the_one_asked_for_is_taken() -> None:
    before = choose_ports(ANY, "127.0.0.1")
    with listening() as server:
        asked = Ports(gateway=server.getsockname()[1], redis=0, cache=0, qdrant=0, flower=0)
        assert choose_ports(asked, "127.0.0.1", before) == before


def test_no_port_is_given_twice() -> None:
    free = choose_ports(ANY, "127.0.0.1").gateway
    asked = Ports(gateway=free, redis=free, cache=free, qdrant=free, flower=0)
    chosen = choose_ports(asked, "127.0.0.1")
    assert len(set(chosen.model_dump().values())) == 5


def test_two_stacks_that_start_at_once_do_not_plan_the_same_ports() -> None:
    asked = choose_ports(ANY, "127.0.0.1")
    where = (asked, "127.0.0.1")
    with reserved_ports(*where) as first, reserved_ports(*where) as second:
        assert first == asked
        assert not set(first.model_dump().values()) & set(second.model_dump().values())
    with reserved_ports(*where) as later:
        assert later == asked
    left = Path(tempfile.gettempdir()).glob(f"flotilla-*-port-{asked.gateway}.lock")
    assert list(left) == []
