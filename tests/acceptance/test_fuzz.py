"""Bad input in bulk, the short form of `make fuzz`: one seed, few of each."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse

from tests.acceptance.stack import PATIENCE, Stack
from tests.conftest import free_port, wait_until
from tests.fuzz import api, submission
from tests.fuzz.files import mutated_file
from tests.fuzz.inprocess import endings
from tests.fuzz.ledger import Ledger
from tests.fuzz.originals import originals
from tests.integration.gateway.processes import running_gateway

SEED = 20261121
CASES, FILES, FILES_IN_PROCESS = 400, 28, 140
PROGRAMS = ("document-1", "vectorstore-1", "rag-1", "default-1", "gateway")


def test_a_number_gives_the_same_file_again() -> None:
    first = [mutated_file(SEED, number) for number in range(2 * len(originals()))]
    assert first == [mutated_file(SEED, number) for number in range(2 * len(originals()))]
    assert len({file.data for file in first}) > 0.9 * len(first)


def test_no_file_crashes_or_halts_the_document_fleets_code() -> None:
    ended = list(endings(SEED, range(FILES_IN_PROCESS)))
    assert [each for each in ended if each.is_fault] == []
    # The mutations reach beyond the first check, and not all of them do nothing.
    codes = Counter(each.code for each in ended)
    assert FILES_IN_PROCESS // 4 < codes["completed"] < FILES_IN_PROCESS * 3 // 4
    assert len(codes) >= 5


def test_every_file_has_an_end_that_is_the_files_own(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, timeout=PATIENCE) as http:
        http.post("/collections", json={"name": "fuzz"}).raise_for_status()
        before = {process.pid for name in PROGRAMS for process in stack.processes(name)}
        ledger = Ledger(stack.addresses.data)
        known = ledger.lost_processes().beyond  # other tests kill workers of this stack
        ended = submission.send(http, SEED, range(FILES), print, ledger, "fuzz")
        assert len(ended) == FILES
        assert [each for each in ended if each.code in submission.DEATHS] == []
        assert [each for each in ended if each.code.startswith("refused")] == []
        assert set(submission.ask(http, "fuzz")) == {200}
        assert ledger.lost_processes().beyond[len(known) :] == []
        assert before <= {process.pid for name in PROGRAMS for process in stack.processes(name)}


def test_every_answer_is_as_the_document_says(tmp_path: Path, redis_url: str) -> None:
    # No fleet runs: the answers that are awaited are late, which the document says too; and a
    # task's events would not end.
    waits = {"FLOTILLA_GATEWAY_SYNC_TIMEOUT": "0.05", "FLOTILLA_GATEWAY_MAX_WAIT": "0.05"}
    with running_gateway(tmp_path, redis_url, **waits) as gateway:
        tallies = api.run(
            gateway.url, CASES, SEED, print, only=r"^(?!.*/events$)", brief=True, answering=False
        )
    assert {label: tally.samples for label, tally in tallies.items() if tally.failures} == {}
    assert sum(tally.cases for tally in tallies.values()) >= CASES * 3 // 4
    # Uploads too get past the gateway's first check.
    assert tallies["POST /documents"].statuses[202] > 0


@pytest.fixture
def faulty() -> Iterator[str]:
    """The address of an app that breaks its own word."""
    app = FastAPI()

    @app.get("/crash")
    def crash() -> int:
        raise RuntimeError

    @app.get("/off", response_model=int)
    def off() -> PlainTextResponse:
        return PlainTextResponse("seven")

    @app.get("/busy")
    def busy() -> PlainTextResponse:
        return PlainTextResponse("later", status_code=503)

    @app.get("/full", responses={503: {}})
    def full() -> JSONResponse:
        return JSONResponse({}, status_code=503)

    @app.get("/slow", responses={504: {}})
    def slow() -> JSONResponse:
        return JSONResponse({}, status_code=504)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def test_a_gateway_that_breaks_its_word_is_found_out(faulty: str) -> None:
    began = time.monotonic()
    tallies = api.run(faulty, 10, SEED, print, brief=True)
    assert "only_documented_server_errors" in tallies["GET /crash"].failures
    assert "content_type_conformance" in tallies["GET /off"].failures
    assert "only_documented_server_errors" in tallies["GET /busy"].failures
    # Documented or not: nobody has asked for it.
    assert "unprovoked 503" in tallies["GET /full"].failures
    assert set(tallies["GET /slow"].failures) == {"unprovoked 504"}
    assert time.monotonic() - began < PATIENCE
