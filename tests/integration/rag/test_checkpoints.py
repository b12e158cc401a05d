"""Runs whose worker is killed: another one goes on behind the last finished step."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from flotilla import __version__
from flotilla.errors import DependencyUnavailable, LeaseLost, ModelUnavailable
from flotilla.ledger.database import Database, new_id, upgrade
from flotilla.models import Mode, Passage, Query
from flotilla.rag.answering import Answerer, Run
from flotilla.rag.checkpoints import FILE, Checkpoints
from flotilla.rag.llm import Models
from flotilla.settings import LLMSettings, Settings
from tests.conftest import wait_until
from tests.doubles.openai_replies import Reply, Request
from tests.doubles.openai_server import OpenAIServer, calls, error, structured, text
from tests.forked_workers import forked_workers
from tests.integration.rag.graph_runs import OPENING, QUERY, WARRANTY, FirstSentence, names, run

QUESTION = structured({"small_talk": False, "reply": ""})
BOTH = structured({"relevant": [2]})
BORNE_OUT = structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]})


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a ledger's database, in SQLAlchemy's form."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    server: str = request.getfixturevalue("postgresql_url")
    name = f"runs_{new_id().replace('-', '')}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        _, _, rest = server.replace("/postgres", f"/{name}").partition("://")
        yield f"postgresql+psycopg://{rest}"
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]


def answer_in_a_worker(url: str, model_url: str, mode: Mode) -> None:
    run(model_url, mode, checkpoints=Checkpoints(url), thread="task")


def killed_while(url: str, server: OpenAIServer, mode: Mode, asked: int) -> None:
    """Kill a worker once it waits for the reply to its so-manieth request."""
    forked = forked_workers()
    worker = forked.Process(target=answer_in_a_worker, args=(url, server.base_url, mode))
    worker.start()
    try:
        wait_until(lambda: len(server.requests) == asked, 120)
    finally:
        worker.kill()
        worker.join()


def hangs_at(number: int, *replies: Reply) -> Callable[[Request], Reply | None]:
    """Gives replies in their order, and lets the request with this number wait, once."""
    left = list(replies)
    waiting = [number]

    def respond(request: Request) -> Reply | None:
        waiting[0] -= 1
        return Reply("", delay=60) if waiting[0] == 0 else left.pop(0)

    return respond


def test_a_killed_run_goes_on_behind_its_last_finished_step(url: str, server: OpenAIServer) -> None:
    server.responder = hangs_at(3, QUESTION, BOTH, text("Twelve months [1]."), BORNE_OUT)
    killed_while(url, server, Mode.CRAG, 3)

    def retrieve(query: Query) -> list[Passage]:
        raise AssertionError("it was searched again")

    answer = run(server, Mode.CRAG, retrieve, checkpoints=Checkpoints(url), thread="task")
    assert answer.text == "Twelve months [1]."
    assert answer.passages == (WARRANTY,)
    assert names(answer) == ["classify", "retrieve", "grade", "generate", "verify"]
    # The hanging one was asked again; the two before it were not.
    assert len(server.requests) == 5
    assert answer.usage.calls == 4 == sum(len(step.calls) for step in answer.trace)
    started = [step.started for step in answer.trace]
    assert started == sorted(started)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_an_agent_goes_on_in_the_middle_of_its_search(url: str, server: OpenAIServer) -> None:
    look = calls(("search_documents", {"query": "warranty"}))
    server.responder = hangs_at(3, QUESTION, look, text("[2]"), text("Twelve [1]."), BORNE_OUT)
    killed_while(url, server, Mode.REACT, 3)

    answer = run(server, Mode.REACT, [], checkpoints=Checkpoints(url), thread="task")
    assert answer.answerable
    assert answer.passages == (WARRANTY,)
    assert names(answer)[1:5] == ["think", "search_documents", "think", "research"]
    assert len(server.requests) == 6
    # What the killed worker had done counts, and goes before what came after it.
    assert answer.usage.calls == 5 == sum(len(step.calls) for step in answer.trace)
    assert answer.trace[3].started >= answer.trace[2].started + answer.trace[2].took


def test_an_answer_that_was_never_written_down_is_not_paid_for_again(
    url: str, server: OpenAIServer
) -> None:
    kept = Checkpoints(url)
    server.script(text("Twelve months [2]."))
    first = run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    assert run(server, Mode.SIMPLE, checkpoints=Checkpoints(url), thread="task") == first
    assert len(server.requests) == 1
    kept.drop("task")
    server.script(text("Twelve months [2]."))
    run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    assert len(server.requests) == 2


def test_what_another_version_or_graph_has_written_is_not_gone_on_with(
    url: str, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Checkpoints(url)
    server.fallback = text("Twelve months [2].")
    run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    monkeypatch.setattr("flotilla.rag.checkpoints.__version__", f"{__version__}.1")
    run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    assert len(server.requests) == 2
    assert kept.saved("task", Mode.CRAG) is None
    assert kept.saved("task", Mode.SIMPLE) is None


def test_passages_that_the_documents_may_not_hold_any_more_are_not_gone_on_with(
    url: str, server: OpenAIServer
) -> None:
    kept = Checkpoints(url)
    server.fallback = error(503)
    before, now = Run(thread="task", ground="1"), Run(thread="task", ground="2")
    llm = {"breaker_failures": 0}
    with pytest.raises(ModelUnavailable):
        run(server, Mode.SIMPLE, [OPENING], llm=llm, checkpoints=kept, how=before)
    server.fallback = text("Twelve months [1].")
    answer = run(server, Mode.SIMPLE, [WARRANTY], llm=llm, checkpoints=kept, how=now)
    assert answer.passages == (WARRANTY,)
    assert names(answer) == ["retrieve", "generate"]


def test_workers_that_start_at_once_make_one_good_place(url: str, server: OpenAIServer) -> None:
    def begin(number: int) -> bool:
        kept = Checkpoints(url)
        return kept.saved(f"task-{number}", Mode.SIMPLE) is None

    with ThreadPoolExecutor(6) as threads:
        assert all(threads.map(begin, range(6)))


def test_who_has_lost_the_run_leaves_no_state_of_it(url: str, server: OpenAIServer) -> None:
    kept = Checkpoints(url)
    server.script(text("Twelve months [2]."))
    models = Models(LLMSettings(model="openai:test", base_url=server.base_url))
    answerer = Answerer(lambda _: [OPENING], FirstSentence(), models, checkpoints=kept)

    def lost() -> None:
        raise LeaseLost("Another worker has taken this over.")

    with pytest.raises(LeaseLost):
        answerer.answer(QUERY, Run(checkpoint=lost, thread="task"))
    assert kept.saved("task", Mode.SIMPLE) is None


def test_what_runs_left_that_are_over_is_dropped(url: str, server: OpenAIServer) -> None:
    upgrade(Settings(database_url=url))
    kept = Checkpoints(url)
    server.fallback = text("Twelve months [2].")
    run(server, Mode.SIMPLE, checkpoints=kept, thread=new_id())
    ledger = Database(url)
    assert kept.drop_ended(ledger) == 1
    assert kept.drop_ended(ledger) == 0
    ledger.close()


def test_checkpoints_that_cannot_be_kept_are_a_part_that_is_away(
    tmp_path: Path, server: OpenAIServer
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    kept = Checkpoints(url)
    server.fallback = text("Twelve months [2].")
    run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    other = sqlite3.connect(tmp_path / FILE)
    other.executescript("DROP TABLE writes; DROP TABLE checkpoints;")
    with pytest.raises(DependencyUnavailable, match="checkpoints"):
        run(server, Mode.SIMPLE, checkpoints=kept, thread="task")
    other.close()


def test_without_a_model_nothing_is_kept(tmp_path: Path) -> None:
    kept = Checkpoints(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    run(None, Mode.CRAG, checkpoints=kept, thread="task")
    assert list(tmp_path.iterdir()) == []
