"""What a user's URL may not reach unless the operator allows it."""

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import running
from tests.integration.gateway.processes import (
    PATIENCE,
    environment_of,
    running_gateway,
    running_redis,
)


class _Inside(http.server.BaseHTTPRequestHandler):
    """A server that only this machine is to reach; it keeps what was asked of it."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"internal")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def inside() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), _Inside)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_they_are_refused_with_the_settings_that_a_user_gets(
    tmp_path: Path, inside: http.server.HTTPServer
) -> None:
    port = inside.server_address[1]
    worker = [sys.executable, "-m", "flotilla", "worker", "document", "--concurrency", "1"]
    with running_redis(tmp_path / "redis") as (redis_url, _):
        data = tmp_path / "data"
        with (
            running_gateway(data, redis_url) as gateway,
            running(worker, data / "worker.log", environment_of(data, redis_url)),
            httpx.Client(base_url=gateway.url, timeout=PATIENCE) as http,
        ):
            hosts = [f"127.0.0.1:{port}", f"localhost:{port}", f"[::ffff:127.0.0.1]:{port}"]
            hosts += ["169.254.169.254", "10.0.0.1"]
            bodies = {host: {"url": f"http://{host}/secrets.txt"} for host in hosts}
            ids = {
                host: http.post("/rag/pipeline", json=body).json()["task_id"]
                for host, body in bodies.items()
            }
            for host, task_id in ids.items():
                reply = http.get(f"/tasks/{task_id}", params={"wait": PATIENCE / 2})
                task = reply.json()
                assert task["status"] == "failed", host
                assert task["error"]["stage"] == "document.fetch"
                assert task["error"]["code"] == "source_refused", host
    assert inside.asked == []  # type: ignore[attr-defined]
