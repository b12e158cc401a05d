"""Bad input in bulk, the short form of `make fuzz`: one seed, few of each."""

import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse

from tests.acceptance.stack import PATIENCE, Stack
from tests.conftest import free_port, wait_until
from tests.fuzz import api, raw, submission
from tests.fuzz.endings import DEATHS
from tests.fuzz.files import mutated_file
from tests.fuzz.inprocess import endings
from tests.fuzz.judgement import Judge
from tests.fuzz.ledger import Ledger
from tests.fuzz.originals import originals
from tests.integration.gateway.processes import Gateway, running_gateway

SEED = 20261121
NO_STREAMS = r"^(?!.*/(events|stream)$)"
FEW, MORE = 1, 4
CASES, BROKEN, FILES, FILES_IN_PROCESS = 250, 125, 10, 140
PROGRAMS = ("document-1", "vectorstore-1", "rag-1", "default-1", "gateway")


@pytest.fixture(scope="module")
def times(thorough: bool) -> int:
    """How many times the numbers above."""
    return MORE if thorough else FEW


def test_a_number_gives_the_same_file_again() -> None:
    first = [mutated_file(SEED, number) for number in range(2 * len(originals()))]
    assert first == [mutated_file(SEED, number) for number in range(2 * len(originals()))]
    assert len({file.data for file in first}) > 0.9 * len(first)


def test_no_file_crashes_or_halts_the_document_fleets_code(times: int) -> None:
    files = FILES_IN_PROCESS * times
    ended = list(endings(SEED, range(files)))
    assert [each for each in ended if each.is_fault] == []
    # The mutations reach beyond the first check, and not all of them do nothing.
    codes = Counter(each.code for each in ended)
    assert files // 4 < codes["completed"] < files * 3 // 4
    assert len(codes) >= 5
    # An archive's and XML's own checks do not stop all of what is within.
    docx = [each for each in ended if mutated_file(SEED, each.number).format == "docx"]
    assert sum(each.code == "completed" for each in docx) > len(docx) / 3


def test_every_file_has_an_end_that_is_the_files_own(stack: Stack, times: int) -> None:
    with httpx.Client(base_url=stack.url, timeout=PATIENCE) as http:
        http.post("/collections", json={"name": "fuzz"}).raise_for_status()
        before = {process.pid for name in PROGRAMS for process in stack.processes(name)}
        ledger = Ledger(stack.addresses.data)
        known = ledger.lost_processes().beyond  # other tests kill workers of this stack
        ended = submission.send(http, SEED, range(FILES * times), print, ledger, "fuzz")
        assert len(ended) == FILES * times
        assert [each for each in ended if each.code in DEATHS] == []
        assert [each for each in ended if each.code.startswith("refused")] == []
        assert set(submission.ask(http, "fuzz")) == {200}
        assert ledger.lost_processes().beyond[len(known) :] == []
        assert before <= {process.pid for name in PROGRAMS for process in stack.processes(name)}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Gateway]:
    """No fleet runs: the answers that are awaited are late, which the document says too; and a
    task's events would not end."""
    waits = {"FLOTILLA_GATEWAY_SYNC_TIMEOUT": "0.05", "FLOTILLA_GATEWAY_MAX_WAIT": "0.05"}
    with running_gateway(tmp_path_factory.mktemp("fuzz"), redis_url, **waits) as gateway:
        yield gateway


def test_no_broken_request_is_answered_but_as_the_document_says(
    gateway: Gateway, times: int
) -> None:
    tallies = raw.run(gateway.url, print, seed=SEED, most=BROKEN * times, answering=False)
    assert {kind: tally.samples for kind, tally in tallies.items() if tally.failures} == {}
    assert sum(tally.cases for tally in tallies.values()) > BROKEN * times
    assert all(tally.cases for tally in tallies.values())


def test_every_answer_is_as_the_document_says(gateway: Gateway, times: int) -> None:
    tallies = api.run(
        gateway.url,
        CASES * times,
        SEED,
        print,
        only=NO_STREAMS,
        brief=True,
        answering=False,
    )
    assert {label: tally.samples for label, tally in tallies.items() if tally.failures} == {}
    assert sum(tally.cases for tally in tallies.values()) >= CASES * times * 3 // 4
    if times > FEW:  # of many uploads, some get past the gateway's first check
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


def test_so_is_one_that_breaks_its_word_to_a_broken_request(faulty: str) -> None:
    judge = Judge(faulty, answering=True)

    def faults(path: str, query: dict[str, str]) -> set[str]:
        return set(judge.faults(path, "get", query, httpx.get(faulty + path)))

    assert {"unprovoked 500"} < faults("/crash", {})
    assert {"UndefinedContentType"} <= faults("/off", {})
    assert faults("/slow", {}) == {"unprovoked 504"}
    assert faults("/slow", {"timeout": "0.1"}) == set()
