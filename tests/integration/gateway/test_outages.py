"""What the gateway says while a part that it stands on is gone."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import wait_until
from tests.integration.gateway.processes import running_gateway, running_redis


def test_readiness_names_what_is_missing(http: httpx.Client) -> None:
    reply = http.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json()["status"] == "not ready"
    states = {name: each["ok"] for name, each in reply.json()["dependencies"].items()}
    fleets = {f"fleet:{name}": False for name in ("document", "vectorstore", "rag", "default")}
    assert states == {"ledger": True, "redis": True, "blobs": True, "qdrant": False, **fleets}
    assert http.get("/health/live").status_code == 200


def test_without_redis_nothing_is_lost_and_nothing_hangs(tmp_path: Path) -> None:
    with (
        running_redis(tmp_path / "redis") as (url, redis),
        running_gateway(tmp_path / "data", url) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60) as http,
    ):
        assert http.post("/rag/query", json={"question": "Who?"}).status_code == 202
        redis.kill()
        redis.wait()

        def state() -> dict[str, bool]:
            parts = http.get("/health/ready").json()["dependencies"]
            return {name: each["ok"] for name, each in parts.items()}

        wait_until(lambda: not state()["redis"])
        assert state()["ledger"]
        assert http.get("/health/live").status_code == 200
        # What is written is sent later, by the fleet `default`.
        uploaded = http.post("/documents", files={"files": ("a.txt", b"a")})
        assert uploaded.status_code == 202
        assert uploaded.elapsed.total_seconds() < 10
        # Questions have somebody who waits for them.
        for address in ("/rag/query", "/rag/query/sync", "/tasks/process"):
            body = {"data": 1} if address.startswith("/tasks") else {"question": "Who?"}
            reply = http.post(address, json=body)
            assert reply.status_code == 503, address
            problem = reply.json()
            assert (problem["code"], problem["retryable"]) == ("dependency_unavailable", True)
            assert reply.elapsed.total_seconds() < 10, address
        assert http.get("/tasks/info").status_code == 503


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.thorough)]
)
def test_without_redis_a_long_poll_looks_at_the_ledger(tmp_path: Path, how: signal.Signals) -> None:
    with (
        running_redis(tmp_path / "redis") as (url, redis),
        running_gateway(tmp_path / "data", url) as gateway,
        httpx.Client(base_url=gateway.url, timeout=60) as http,
        ThreadPoolExecutor() as threads,
    ):
        task_id = http.post("/rag/pipeline", json={"text": "fog"}).json()["task_id"]

        def poll(seconds: float) -> httpx.Response:
            return http.get(f"/tasks/{task_id}", params={"wait": seconds})

        assert poll(0.1).json()["status"] == "pending"
        redis.send_signal(how)
        try:
            for _ in range(3):
                reply = poll(1)
                assert (reply.status_code, reply.json()["status"]) == (200, "pending")
                assert reply.elapsed.total_seconds() < 5
            polling = [threads.submit(poll, 50) for _ in range(3)]
            assert http.delete(f"/tasks/{task_id}").status_code == 200
            for each in polling:
                assert each.result().json()["status"] == "cancelled"
                assert each.result().elapsed.total_seconds() < 20
        finally:
            redis.send_signal(signal.SIGCONT)
