"""`react`: an agent with tools, its model behind a local server that speaks OpenAI's protocol."""

from collections.abc import Callable

import pytest

from flotilla.errors import DependencyUnavailable, ModelUnavailable, PageNotFound
from flotilla.models import Mode, Passage, Query
from flotilla.schemas import DocumentPage
from tests.doubles.openai_server import OpenAIServer, ToolCall, calls, error, structured, text
from tests.doubles.tavily_server import TavilyServer, page
from tests.integration.rag.graph_runs import CARS, HOURS, OPENING, QUERY, WARRANTY, names, run
from tests.integration.rag.test_web_search import search

QUESTION = structured({"small_talk": False, "reply": ""})
BORNE_OUT = structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]})

LONG = f"{QUERY.question} I mean both those that are new and those that somebody has had before me."
"""Too long for small talk, so that nobody is asked whether it is some."""

PAGE = "The yard's rules.\nDogs wait outside. Children are welcome."


def look(query: str) -> ToolCall:
    return ToolCall("search_documents", {"query": query})


def by_words(**found: list[Passage]) -> Callable[[Query], list[Passage]]:
    """Finds what belongs to the first word that stands in the query."""

    def retrieve(query: Query) -> list[Passage]:
        return next((these for word, these in found.items() if word in query.question), [])

    return retrieve


def read_page(document_id: str, number: int, *, start: int | None, limit: int) -> DocumentPage:
    if number != 7:
        raise PageNotFound("The document has pages 1 to 7.")
    begin = start or 500
    return DocumentPage(
        document_id=document_id,
        page=number,
        pages=7,
        number=number,
        characters=len(PAGE),
        text=PAGE[begin - 500 :][:limit],
        start=begin,
        end=500 + len(PAGE),
        headings=[],
    )


def test_an_agent_searches_twice_and_the_answer_cites_what_it_chose(server: OpenAIServer) -> None:
    server.script(
        QUESTION,
        calls(look("opening hours")),
        calls(look("warranty of used cars")),
        text("[2]"),
        text("Twelve months [1]."),
        BORNE_OUT,
    )
    answer = run(server, Mode.REACT, by_words(opening=[OPENING], warranty=[WARRANTY, OPENING]))
    assert names(answer) == [
        "classify",
        "think",
        "search_documents",
        "think",
        "search_documents",
        "think",
        "research",
        "generate",
        "verify",
    ]
    assert answer.passages == (WARRANTY,)
    assert answer.citations[0].quote in CARS
    # What a tool found is shown with numbers, each passage in full once.
    shown = [m["content"] for m in server.requests[3].messages if m["role"] == "tool"]
    assert [HOURS in each for each in shown] == [True, False]
    assert "Found again: [1]" in shown[1]
    assert answer.usage.calls == 6 == sum(len(step.calls) for step in answer.trace)
    assert all(
        step.started >= before.started
        for before, step in zip(answer.trace, answer.trace[1:], strict=False)
        if step.name != "research"
    )


def test_a_page_is_read_and_quoted_by_its_place_in_the_document(server: OpenAIServer) -> None:
    server.script(
        QUESTION,
        calls(look("warranty")),
        calls(("read_page", {"document": WARRANTY.document_id, "page": 7})),
        text("The page has it: [3]"),
        text("Dogs wait outside [1]."),
        BORNE_OUT,
    )
    answer = run(server, Mode.REACT, question="And dogs?", read_page=read_page)
    (citation,) = answer.citations
    assert (citation.page_start, citation.document_id) == (7, WARRANTY.document_id)
    assert PAGE[citation.start - 500 : citation.end - 500] == citation.quote


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"document": "of-another-collection", "page": 7}, "that a search has found"),
        ({"document": WARRANTY.document_id, "page": 8}, "pages 1 to 7"),
        ({"document": WARRANTY.document_id}, "page"),
    ],
)
def test_what_cannot_be_read_the_agent_is_told(
    server: OpenAIServer, arguments: dict[str, object], words: str
) -> None:
    server.script(
        QUESTION,
        calls(look("warranty")),
        calls(("read_page", arguments)),
        text("[2]"),
        text("Twelve months [1]."),
        BORNE_OUT,
    )
    answer = run(server, Mode.REACT, read_page=read_page)
    assert answer.answerable
    assert words in server.requests[3].last


def test_the_web_is_a_tool_where_there_is_a_key(server: OpenAIServer, tavily: TavilyServer) -> None:
    tavily.answer(page("https://law.example.com", "Two years by law."))
    server.script(
        QUESTION,
        calls(ToolCall("search_web", {"query": "warranty by law"})),
        text("[1]"),
        text("Two years [1]."),
        BORNE_OUT,
    )
    answer = run(server, Mode.REACT, [], search_web=search(tavily), read_page=read_page)
    assert answer.citations[0].url == "https://law.example.com"
    assert answer.notes == ("A part of this is from pages of the web.",)
    tools = [each["function"]["name"] for each in server.requests[1].body["tools"]]
    assert tools == ["search_documents", "read_page", "search_web"]


def test_the_last_call_has_no_tools_so_that_the_agent_comes_to_an_end(
    server: OpenAIServer,
) -> None:
    server.script(
        QUESTION,
        calls(look("opening")),
        calls(look("warranty")),
        calls(look("more")),
        text("At nine [1]."),
        BORNE_OUT,
    )
    answer = run(server, Mode.REACT, agent_calls=3)
    assert "tools" not in server.requests[3].body
    assert names(answer).count("search_documents") == 2
    assert answer.answerable


def test_a_spent_budget_ends_the_search_and_what_was_found_is_used(server: OpenAIServer) -> None:
    server.script(calls(look("opening")))
    answer = run(server, Mode.REACT, question=LONG, budget_tokens=1)
    assert len(server.requests) == 1
    assert answer.answerable
    assert answer.model == answer.fallback_used == "extractive"
    assert any("cut short" in note for note in answer.notes)


def test_no_passage_that_bears_on_it_is_a_refusal_with_what_was_nearby(
    server: OpenAIServer,
) -> None:
    server.script(QUESTION, calls(look("warranty of boats")), text("NONE"))
    answer = run(server, Mode.REACT)
    assert not answer.answerable
    assert answer.passages == (OPENING, WARRANTY)


def test_a_model_without_tools_is_no_reason_to_fail(server: OpenAIServer) -> None:
    server.lacks = {"tools"}
    server.script(text("Twelve months [2]."), BORNE_OUT)
    answer = run(server, Mode.REACT, question=LONG, llm={"structured": "json_schema"})
    assert answer.answerable
    assert any("documents were searched once" in note for note in answer.notes)


def test_a_model_that_is_away_ends_the_run_unless_something_stands_in(
    server: OpenAIServer,
) -> None:
    server.fallback = error(503)
    with pytest.raises(ModelUnavailable):
        run(server, Mode.REACT, llm={"breaker_failures": 0})
    chain = {"breaker_failures": 0, "fallbacks": ("extractive",)}
    answer = run(server, Mode.REACT, llm=chain)
    assert answer.fallback_used == "extractive"


def test_a_store_that_is_away_is_not_taken_for_an_answer(server: OpenAIServer) -> None:
    server.script(QUESTION, calls(look("warranty")))

    def away(query: Query) -> list[Passage]:
        raise DependencyUnavailable("The vector store is out of reach.")

    with pytest.raises(DependencyUnavailable):
        run(server, Mode.REACT, away)


def test_without_a_model_the_documents_are_searched_once() -> None:
    answer = run(None, Mode.REACT)
    assert names(answer) == ["classify", "retrieve", "generate", "verify"]
    assert answer.text == "We open at nine o'clock. [1]"
    assert "nobody could search with tools" in answer.notes[0]


def test_small_talk_needs_no_agent(server: OpenAIServer) -> None:
    answer = run(server, Mode.REACT, question="Hello!")
    assert names(answer) == ["classify"]
    assert not server.requests
