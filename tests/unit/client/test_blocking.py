"""The blocking client against a gateway on a real socket."""

import inspect
import io
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from flotilla.client import (
    Flotilla,
    FlotillaAPIError,
    GatewayUnreachable,
    UnexpectedReply,
    WaitTimeout,
)
from flotilla.schemas import Health, Readiness
from tests.doubles.gateway import GatewayDouble, a_document, a_problem, a_task, failed


def unavailable(after: str | None) -> Response:
    response = a_problem(503, "dependency_unavailable", "Redis is out of reach.")
    if after is not None:
        response.headers["Retry-After"] = after
    return response


class TestRequests:
    def test_upload_sends_files_and_fields(
        self, flotilla: Flotilla, gateway: GatewayDouble, tmp_path: Path
    ) -> None:
        path = tmp_path / 'terms "new" ü.txt'
        path.write_bytes(b"x" * 100_000)
        accepted = flotilla.upload(
            path,
            ("folder/notes.md", io.BytesIO(b"# Notes")),
            collection="default",
            metadata={"year": 2024},
            password="secret",
            converter="ocr",
        )
        assert [d.name for d in accepted] == [
            'terms "new" ü.txt',
            "folder/notes.md",
        ]
        [request] = gateway.seen("POST", "/documents")
        assert [size for _, size in request.files] == [100_000, 7]
        assert request.form == {
            "collection": "default",
            "metadata": '{"year": 2024}',
            "password": "secret",
            "converter": "ocr",
        }

    def test_a_question_carries_only_what_was_given(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["POST", "/rag/query"] = [
            Response('{"task_id": "t"}', 202, media_type="application/json")
        ]
        assert flotilla.ask_async("Why?", collections=["a", "b"]).task_id == "t"
        [request] = gateway.seen("POST", "/rag/query")
        assert request.json == {"question": "Why?", "collections": ["a", "b"], "filter": {}}

    def test_ids_cannot_leave_their_path_segment(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        with pytest.raises(FlotillaAPIError):
            flotilla.task("../collections?x=1")
        assert gateway.requests[-1].params == {}
        assert "collections" not in gateway.requests[-1].path.split("/")[:2]

    def test_the_key_is_sent_as_a_bearer_token(self, gateway: GatewayDouble) -> None:
        with Flotilla(gateway.url, api_key="k1") as client:
            client.health()
        assert gateway.requests[-1].headers["authorization"] == "Bearer k1"

    def test_lists_follow_their_cursors(self, flotilla: Flotilla, gateway: GatewayDouble) -> None:
        for number in range(5):
            gateway.documents[f"d{number}"] = a_document(f"d{number}", f"{number}.txt")
        assert [d.document_id for d in flotilla.documents(status="ready")] == [
            f"d{number}" for number in range(5)
        ]
        sent = gateway.seen("GET", "/documents")
        assert [r.params for r in sent] == [
            {"status": "ready"},
            {"status": "ready", "cursor": "2"},
            {"status": "ready", "cursor": "4"},
        ]

    @pytest.mark.parametrize(
        ("name", "arguments", "path"),
        [
            ("smoke_process", ("x",), "/tasks/process"),
            ("smoke_process", (None,), "/tasks/process"),
            ("smoke_add", (1, 2), "/tasks/calculate/add"),
            ("smoke_divide", (1, 2), "/tasks/calculate/divide"),
            ("smoke_chain", (1, 2, 3), "/tasks/workflow/chain"),
            ("smoke_parallel", (1, 2, 3), "/tasks/workflow/parallel"),
        ],
    )
    def test_smoke_tests_reach_their_endpoints(
        self,
        flotilla: Flotilla,
        gateway: GatewayDouble,
        name: str,
        arguments: tuple[Any, ...],
        path: str,
    ) -> None:
        task_id = getattr(flotilla, name)(*arguments).task_id
        assert gateway.seen("POST", path)
        assert list(flotilla.wait(task_id).result.values()) == list(arguments)

    def test_methods_show_the_signature_of_their_operation(self) -> None:
        assert list(inspect.signature(Flotilla().wait).parameters) == [
            "task_id",
            "timeout",
            "on_update",
        ]
        assert Flotilla.ask.__doc__


class TestErrors:
    def test_a_problem_becomes_an_error_with_all_its_parts(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["POST", "/rag/query/sync"] = [
            a_problem(504, "answer_timeout", "The answer is not ready.", task_id="t1")
        ]
        with pytest.raises(FlotillaAPIError, match="The answer is not ready") as caught:
            flotilla.ask("Why?", timeout=0.5)
        error = caught.value
        assert (error.status, error.code, error.retryable) == (504, "answer_timeout", True)
        assert (error.request_id, error.task_id) == ("request-1", "t1")
        assert gateway.requests[-1].params == {"timeout": "0.5"}

    def test_a_proxys_page_is_still_one_sentence(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["POST", "/collections"] = [PlainTextResponse("<html>", 502)]
        with pytest.raises(FlotillaAPIError, match="answered 502") as caught:
            flotilla.create_collection("x")
        assert caught.value.code == "http_502"

    def test_a_foreign_server_is_recognised(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["GET", "/health/live"] = [PlainTextResponse("hello")]
        with pytest.raises(UnexpectedReply, match="Flotilla gateway"):
            flotilla.health()

    def test_nobody_listens(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{probe.getsockname()[1]}"
            with (
                Flotilla(url, retries=0) as client,
                pytest.raises(GatewayUnreachable, match=r"No gateway answers at .*flotilla up"),
            ):
                client.health()

    def test_an_address_that_is_none(self) -> None:
        with Flotilla("nonsense") as client, pytest.raises(GatewayUnreachable, match="address"):
            client.health()

    def test_unready_is_an_answer(self, flotilla: Flotilla, gateway: GatewayDouble) -> None:
        body = Readiness.model_validate(
            {"status": "unready", "dependencies": {"redis": {"ok": False}}}
        )
        gateway.scripted["GET", "/health/ready"] = [
            Response(body.model_dump_json(), 503, media_type="application/json")
        ]
        assert flotilla.ready() == body

    def test_a_missing_file_is_told_before_anything_is_sent(
        self, flotilla: Flotilla, gateway: GatewayDouble, tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            flotilla.upload(tmp_path / "none.pdf")
        assert not gateway.requests


class TestRetries:
    def test_a_safe_request_is_sent_again_after_the_time_that_was_asked_for(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["GET", "/health/live"] = [unavailable("0.3")]
        started = time.monotonic()
        assert flotilla.health() == Health(status="ok", version="0")
        assert time.monotonic() - started >= 0.3
        assert len(gateway.requests) == 2

    def test_retries_are_bounded(self, flotilla: Flotilla, gateway: GatewayDouble) -> None:
        gateway.scripted["GET", "/health/live"] = [unavailable("0") for _ in range(9)]
        with pytest.raises(FlotillaAPIError) as caught:
            flotilla.health()
        assert caught.value.retry_after == 0
        assert len(gateway.requests) == 3

    @pytest.mark.parametrize("after", [None, "3600"])
    def test_no_time_or_a_long_one_is_the_callers_to_plan_with(
        self, flotilla: Flotilla, gateway: GatewayDouble, after: str | None
    ) -> None:
        gateway.scripted["GET", "/health/live"] = [unavailable(after)]
        with pytest.raises(FlotillaAPIError):
            flotilla.health()
        assert len(gateway.requests) == 1

    def test_what_would_be_done_twice_is_not_sent_twice(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        for path in ("/collections", "/documents", "/rag/query/sync"):
            gateway.scripted["POST", path] = [unavailable("0")]
        for call in (
            lambda: flotilla.create_collection("x"),
            lambda: flotilla.upload(("a.txt", io.BytesIO(b"a"))),
            lambda: flotilla.ask("Why?"),
        ):
            with pytest.raises(FlotillaAPIError):
                call()
        assert len(gateway.requests) == 3

    def test_a_connection_that_breaks_off_is_tried_again(self) -> None:
        """A server that closes the first connection and answers on the second."""
        with socket.create_server(("127.0.0.1", 0)) as server:

            def serve() -> None:
                first, _ = server.accept()
                first.recv(4096)
                first.close()
                second, _ = server.accept()
                with second:
                    second.recv(4096)
                    body = b'{"status": "ok", "version": "2"}'
                    second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                    second.sendall(body)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            with Flotilla(f"http://127.0.0.1:{server.getsockname()[1]}") as client:
                assert client.health().version == "2"
            thread.join(5)


class TestWait:
    def test_it_returns_the_final_state_and_reports_each_change_once(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        running = a_task("t", "processing", stage="document.split")
        gateway.add_task("t", a_task("t", "pending"), running, running, a_task("t"))
        seen: list[str] = []
        task = flotilla.wait("t", on_update=lambda state: seen.append(state.status))
        assert task.status == "completed"
        assert seen == ["pending", "processing", "completed"]

    def test_a_failed_task_is_returned_not_raised(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.add_task("t", failed("t", "a.pdf is damaged."))
        task = flotilla.wait("t")
        assert task.error is not None
        assert task.error.message == "a.pdf is damaged."

    def test_the_gateway_holds_the_question_until_the_task_ends(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.add_task("t", a_task("t"))
        gateway.held["t"] = threading.Event()
        timer = threading.Timer(0.4, gateway.held["t"].set)
        timer.start()
        flotilla.wait("t")
        assert len(gateway.seen("GET", "/tasks/t")) == 1

    def test_a_hold_longer_than_the_timeout_of_a_reply_is_awaited(
        self, gateway: GatewayDouble
    ) -> None:
        gateway.add_task("t", a_task("t", "processing"))
        gateway.held["t"] = threading.Event()
        with Flotilla(gateway.url, timeout=0.3, retries=0) as client:
            assert client.task("t", wait=0.6).status == "processing"

    def test_time_runs_out(self, flotilla: Flotilla, gateway: GatewayDouble) -> None:
        gateway.add_task("t", a_task("t", "processing"))
        gateway.held["t"] = threading.Event()
        started = time.monotonic()
        with pytest.raises(WaitTimeout, match="goes on") as caught:
            flotilla.wait("t", timeout=0.3)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.task is not None
        assert time.monotonic() - started < 5

    def test_an_unknown_task_is_told_at_once(self, flotilla: Flotilla) -> None:
        with pytest.raises(FlotillaAPIError) as caught:
            flotilla.wait("none")
        assert caught.value.status == 404


class TestTurnedAway:
    """A gateway that has enough to do refuses requests before it has read them."""

    @staticmethod
    def full(after: str) -> Response:
        response = a_problem(503, "overloaded", "1,000 questions are waiting.")
        response.headers["Retry-After"] = after
        return response

    def test_even_a_submission_is_sent_again(
        self, flotilla: Flotilla, gateway: GatewayDouble, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"x" * 70_000)
        gateway.scripted["POST", "/documents"] = [self.full("0.01")]
        assert flotilla.upload(path)[0].name == "a.txt"
        assert [r.files for r in gateway.seen("POST", "/documents")] == [[("a.txt", 70_000)]] * 2

    def test_a_longer_pause_is_the_callers_to_plan_with(
        self, flotilla: Flotilla, gateway: GatewayDouble
    ) -> None:
        gateway.scripted["POST", "/rag/query"] = [self.full("61")]
        with pytest.raises(FlotillaAPIError) as caught:
            flotilla.ask_async("Why?")
        assert (caught.value.code, caught.value.retry_after) == ("overloaded", 61)
        assert len(gateway.seen("POST", "/rag/query")) == 1

    def test_to_close_the_client_ends_the_pause(
        self, flotilla: Flotilla, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pausing, wait = threading.Event(), flotilla._closed.wait

        def pause(seconds: float) -> bool:
            pausing.set()
            return wait(seconds)

        monkeypatch.setattr(flotilla._closed, "wait", pause)
        gateway.scripted["POST", "/rag/query"] = [self.full("60")]
        ended: list[Exception] = []

        def ask() -> None:
            try:
                flotilla.ask_async("Why?")
            except GatewayUnreachable as error:
                ended.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        assert pausing.wait(30)
        flotilla.close()
        asking.join(10)
        assert [str(error) for error in ended] == [
            f"The client was closed before {gateway.url} was asked again."
        ]

    def test_a_stream_is_not_sent_twice(self, flotilla: Flotilla, gateway: GatewayDouble) -> None:
        class Stream(io.BytesIO):
            def seekable(self) -> bool:
                return False

        gateway.scripted["POST", "/documents"] = [self.full("0.01")]
        with pytest.raises(FlotillaAPIError):
            flotilla.upload(("a.txt", Stream(b"once")))

    def test_to_close_the_client_ends_the_wait_for_a_reply(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As for a connection that is being made, which httpx does not know of.
        monkeypatch.setattr(httpx.Client, "close", lambda _: None)
        errors: list[Exception] = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            flotilla = Flotilla(f"http://127.0.0.1:{server.getsockname()[1]}")

            def ask() -> None:
                try:
                    flotilla.health()
                except GatewayUnreachable as error:
                    errors.append(error)

            thread = threading.Thread(target=ask, daemon=True)
            thread.start()
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                flotilla.close()
                thread.join(5)
        assert not thread.is_alive()
        assert errors
