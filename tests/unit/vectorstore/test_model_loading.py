"""Threads that want a model whose server hangs wait for it once, all together."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from flotilla.errors import DependencyUnavailable, ModelMissing
from flotilla.vectorstore import model_loading
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.model_loading import LoadedModels
from tests.conftest import wait_until

MODEL = cast("Embedder", object())


class Server:
    """Gives the model, or an outage, once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.error: Exception | None = DependencyUnavailable("It hangs.", retry_after=7)
        self.asked = 0

    def load(self) -> Embedder:
        self.asked += 1
        assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        return MODEL


def test_threads_share_one_attempt_and_its_failure() -> None:
    server, models = Server(), LoadedModels()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(models.get, "m", server.load) for _ in range(4)]
        wait_until(lambda: server.asked)
        server.gate.set()
        for each in waiting:
            with pytest.raises(DependencyUnavailable, match="It hangs"):
                each.result(10)
    assert server.asked == 1


def test_nobody_waits_for_a_server_that_is_known_to_hang() -> None:
    server, models = Server(), LoadedModels()
    server.gate.set()
    with pytest.raises(DependencyUnavailable):
        models.get("m", server.load)
    server.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(models.get, "m", server.load, look=True)
        wait_until(lambda: server.asked == 2)
        with pytest.raises(DependencyUnavailable, match="It hangs") as caught:
            models.get("m", server.load)  # while somebody looks again
        assert caught.value.retry_after == 7
        server.error = None
        server.gate.set()
        assert looking.result(10) is MODEL
    assert models.get("m", server.load) is MODEL
    assert server.asked == 2


def test_where_nobody_looks_again_whoever_asks_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_loading, "REMEMBERED_SECONDS", 0.0)
    server, models = Server(), LoadedModels()
    server.gate.set()
    for _ in range(2):
        with pytest.raises(DependencyUnavailable):
            models.get("m", server.load)
    assert server.asked == 2


def test_a_model_that_was_missing_is_there_as_soon_as_it_is_pulled() -> None:
    server, models = Server(), LoadedModels()
    server.gate.set()
    server.error = ModelMissing("Pull it.")
    with pytest.raises(ModelMissing):
        models.get("m", server.load)
    server.error = None
    assert models.get("m", server.load) is MODEL
    models.keep({"m"})
    assert models.get("m", server.load) is MODEL
    models.keep(())
    models.get("m", server.load)
    assert server.asked == 3
