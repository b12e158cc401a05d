"""The search on the web, with Tavily's own client against a local server of its protocol."""

import pytest

from flotilla.errors import WebSearchUnavailable
from flotilla.models import Mode, Passage, Query
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.rag.web import TavilySearch
from flotilla.settings import LLMSettings, WebSettings
from tests.doubles.openai_server import OpenAIServer, structured, text
from tests.doubles.tavily_server import KEY, TavilyServer, page
from tests.integration.rag.graph_runs import OPENING, QUERY, names, run

URL = "https://cars.example.com/warranty"
TOLD = "The law gives two years of warranty on new goods. Used ones have one."


def search(tavily: TavilyServer, redis_url: str | None = None, **fields: object) -> TavilySearch:
    given = {"api_key": KEY, "base_url": tavily.url} | fields
    breaker = Breaker(FleetState(redis_url), LLMSettings(breaker_failures=2))
    return TavilySearch(WebSettings.model_validate(given), breaker)


def test_a_page_is_a_passage_with_its_address(tavily: TavilyServer) -> None:
    tavily.answer(page(URL, TOLD, "Warranty in law", 0.81))
    (found,) = search(tavily)("How long is the warranty?", 5.0)
    assert (found.url, found.document_name, found.text) == (URL, "Warranty in law", TOLD)
    assert (found.score, found.collection) == (0.81, "web")
    (sent,) = tavily.received
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.json["query"] == "How long is the warranty?"


def test_settings_bound_the_search(tavily: TavilyServer) -> None:
    search(tavily, results=3, depth="advanced", include_domains="a.example, b.example")("What?", 5)
    (sent,) = tavily.searches
    assert (sent["max_results"], sent["search_depth"]) == (3, "advanced")
    assert sent["include_domains"] == ["a.example", "b.example"]
    assert "exclude_domains" not in sent


def test_what_nobody_can_open_or_read_is_left_out(tavily: TavilyServer) -> None:
    tavily.answer(
        page("javascript:alert(1)", TOLD),
        page("http://[", TOLD),
        page(URL, "   "),
        {"title": "no address"},
        page(URL, "x" * 100_000),
    )
    (found,) = search(tavily)("What?", 5)
    assert len(found.text) == found.end == 4000


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "TAVILY_API_KEY"),
        (429, "plan and limits"),
        (432, "plan and limits"),
        (400, "refused"),
        (500, "could not be reached"),
    ],
)
def test_an_error_is_a_sentence_without_the_key(
    tavily: TavilyServer, status: int, words: str
) -> None:
    tavily.fail(status, f"the key {KEY} is wrong")
    with pytest.raises(WebSearchUnavailable, match=words) as raised:
        search(tavily)("What?", 5)
    assert KEY not in raised.value.message


def test_a_server_that_hangs_is_left_at_the_end_of_the_budget(tavily: TavilyServer) -> None:
    tavily.answer(pause=30)
    with pytest.raises(WebSearchUnavailable, match=r"within 0\.2 seconds"):
        search(tavily)("What?", 0.2)


def test_who_fails_again_and_again_is_left_alone(tavily: TavilyServer, redis_url: str) -> None:
    tavily.fail(503)
    searching = search(tavily, redis_url)
    for _ in range(2):
        with pytest.raises(WebSearchUnavailable, match="could not be reached"):
            searching("What?", 5)
    with pytest.raises(WebSearchUnavailable, match="for a while") as raised:
        searching("What?", 5)
    assert raised.value.retry_after is not None
    assert len(tavily.received) == 2


def test_what_the_answers_own_budget_cut_short_says_nothing_of_tavilys_health(
    tavily: TavilyServer, redis_url: str
) -> None:
    tavily.answer(page(URL, TOLD), pause=1.0)
    searching = search(tavily, redis_url)
    for _ in range(3):
        with pytest.raises(WebSearchUnavailable, match="did not answer"):
            searching("What?", 0.2)
    with pytest.raises(WebSearchUnavailable, match="time of this answer is over"):
        searching("What?", 0.0)
    assert searching("What?", 5)


def test_a_refused_key_says_nothing_of_tavilys_health(tavily: TavilyServer, redis_url: str) -> None:
    tavily.fail(401)
    searching = search(tavily, redis_url)
    for _ in range(4):
        with pytest.raises(WebSearchUnavailable, match="key"):
            searching("What?", 5)


# --- in a graph ------------------------------------------------------------------------------


def test_crag_searches_the_web_once_the_documents_hold_too_little(
    server: OpenAIServer, tavily: TavilyServer
) -> None:
    tavily.answer(page(URL, TOLD))
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": []}),
        structured({"query": "statutory warranty"}),
        structured({"relevant": [1]}),
        text("Two years on new goods [1]."),
        structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]}),
    )
    answer = run(server, Mode.CRAG, [OPENING], search_web=search(tavily))
    assert names(answer)[1:] == [
        "retrieve",
        "grade",
        "rewrite",
        "retrieve",
        "grade",
        "search_web",
        "grade",
        "generate",
        "verify",
    ]
    assert [each["query"] for each in tavily.searches] == ["statutory warranty"]
    (citation,) = answer.citations
    assert citation.url == URL
    assert TOLD[citation.start : citation.end] == citation.quote
    assert any("the web was searched" in note for note in answer.notes)


def test_what_the_documents_answer_is_told_to_nobody(
    server: OpenAIServer, tavily: TavilyServer
) -> None:
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": [1]}),
        text("At nine [1]."),
        structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]}),
    )
    assert run(server, Mode.CRAG, [OPENING], search_web=search(tavily)).answerable
    assert not tavily.received


def test_a_web_that_is_away_costs_no_answer(server: OpenAIServer, tavily: TavilyServer) -> None:
    tavily.fail(500)
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": []}),
    )
    answer = run(server, Mode.CRAG, [OPENING], search_web=search(tavily), rewrites=0)
    assert not answer.answerable
    assert answer.passages == (OPENING,)
    assert any("The web was not searched" in note for note in answer.notes)
    assert len(tavily.received) == 1


def test_without_a_model_the_web_is_searched_where_nothing_is_found(tavily: TavilyServer) -> None:
    tavily.answer(page(URL, TOLD))

    def nothing(query: Query) -> list[Passage]:
        assert query.question == QUERY.question
        return []

    answer = run(None, Mode.CRAG, nothing, search_web=search(tavily))
    assert answer.citations[0].url == URL
    assert names(answer) == [
        "classify",
        "retrieve",
        "grade",
        "search_web",
        "grade",
        *names(answer)[5:],
    ]


def test_a_page_with_half_of_a_surrogate_pair_can_be_told(tavily: TavilyServer) -> None:
    tavily.answer(page(f"{URL}?\ud83d", f"{TOLD}\ud83d", "Warranty\ud83d"))
    (found,) = search(tavily)("What?", 5)
    assert (found.url, found.document_name, found.text) == (f"{URL}?", "Warranty", TOLD)
