import subprocess
import sys
from collections.abc import Sequence

import pytest

from flotilla.errors import Cancelled, ConfigurationError
from flotilla.models import Mode, Passage, Query, Turn
from flotilla.rag.answering import Answerer, Run, build_models
from flotilla.rag.citations import cite
from flotilla.rag.extractive.generator import ExtractiveGenerator
from flotilla.rag.generate import Draft
from flotilla.rag.llm import Role
from flotilla.settings import LLMSettings
from tests.unit.rag.conftest import MakePassage, WordEmbedder

HOURS = "We open at nine o'clock. On Sundays the yard is closed."
QUERY = Query(tenant_id="t", question="When do you open?", collection_ids=("default",))


class Scripted:
    """A generator that gives one draft."""

    model = "scripted"

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
    ) -> Draft:
        return self.draft


def test_an_answer_has_citations_passages_and_timings(
    embedder: WordEmbedder, passage: MakePassage
) -> None:
    passages = [passage(HOURS)]
    answer = Answerer(lambda _: passages, ExtractiveGenerator(embedder, threshold=0.2)).answer(
        QUERY
    )
    assert answer.answerable
    assert answer.question == QUERY.question
    assert answer.text.startswith("We open at nine o'clock. [1]")
    assert answer.passages == tuple(passages)
    assert set(answer.timings) == {"retrieve", "generate"}


def test_nothing_retrieved_is_no_answer_and_asks_no_generator() -> None:
    draft = Draft(text="Invented [1].", answerable=True, model="scripted")
    answer = Answerer(lambda _: [], Scripted(draft)).answer(QUERY)
    assert not answer.answerable
    assert "Invented" not in answer.text
    assert (answer.citations, answer.passages, answer.model) == ((), (), "scripted")


def test_a_model_is_not_asked_for_who_does_not_wait_any_more(passage: MakePassage) -> None:
    class Paid(Scripted):
        def generate(
            self,
            question: str,
            passages: Sequence[Passage],
            turns: Sequence[Turn] = (),
            *,
            own: str | None = None,
        ) -> Draft:
            raise AssertionError("the model was asked")

    def checkpoint() -> None:
        raise Cancelled("The task was cancelled.")

    draft = Draft(text="None.", answerable=False, model="scripted")
    with pytest.raises(Cancelled):
        Answerer(lambda _: [passage(HOURS)], Paid(draft)).answer(QUERY, Run(checkpoint=checkpoint))


def test_a_quote_that_is_not_in_the_passage_takes_its_number_along(passage: MakePassage) -> None:
    source = passage(HOURS)
    false = cite(1, source, 0, 24).model_copy(update={"quote": "We open at eight."})
    true = cite(2, source, 25, 55)
    draft = Draft(
        text="At eight [1]. Closed on Sundays [2].",
        answerable=True,
        citations=(false, true),
        model="scripted",
    )
    answer = Answerer(lambda _: [source], Scripted(draft)).answer(QUERY)
    assert answer.answerable
    assert answer.text == "At eight. Closed on Sundays [1]."
    assert [(c.number, c.quote) for c in answer.citations] == [
        (1, "On Sundays the yard is closed.")
    ]


def test_an_answer_without_one_true_quote_is_none(passage: MakePassage) -> None:
    source = passage(HOURS)
    false = cite(1, source, 0, 24).model_copy(update={"quote": "We open at eight."})
    draft = Draft(text="At eight [1].", answerable=True, citations=(false,), model="scripted")
    answer = Answerer(lambda _: [source], Scripted(draft)).answer(QUERY)
    assert not answer.answerable
    assert "eight" not in answer.text
    assert answer.passages == (source,)


def test_the_settings_choose_whether_there_are_models() -> None:
    assert build_models(LLMSettings(model="extractive"), None) is None
    models = build_models(
        LLMSettings(model="openai:gpt-4o-mini", base_url="http://127.0.0.1:9/v1"), None
    )
    assert models is not None
    assert models.name(Role.ANSWER) == "openai:gpt-4o-mini"
    with pytest.raises(ConfigurationError, match="LLM_MODEL"):
        build_models(LLMSettings(model="extractive", grade_model="openai:gpt-4o-mini"), None)


def test_the_extractive_stack_starts_without_langchain() -> None:
    program = (
        "import sys, flotilla.rag.answering\n"
        "from flotilla.rag.extractive.generator import ExtractiveGenerator\n"
        "heavy = {'langchain', 'langchain_core', 'openai', 'numpy', 'fastembed', 'sentencex'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_generator_is_told_which_words_are_the_questions_own(passage: MakePassage) -> None:
    class Asked(Scripted):
        def generate(
            self,
            question: str,
            passages: Sequence[Passage],
            turns: Sequence[Turn] = (),
            *,
            own: str | None = None,
        ) -> Draft:
            return Draft(text=f"{question} | {own}", answerable=False, model=self.model)

    draft = Draft(text="None.", answerable=False, model="scripted")
    answerer = Answerer(lambda _: [passage(HOURS)], Asked(draft))
    query = QUERY.model_copy(update={"question": "And the yew? (birch)"})

    assert answerer.answer(query, Run(own="And the yew?")).text == (
        "And the yew? (birch) | And the yew?"
    )


@pytest.mark.parametrize("message", ["Thanks!", "Hi", "ok", "Ok, thanks!", "Danke"])
def test_small_talk_of_a_chat_is_replied_to_in_the_mode_without_a_judge(message: str) -> None:
    def retrieve(query: Query) -> list[Passage]:
        raise AssertionError("it was searched for")

    draft = Draft(text="None.", answerable=False, model="scripted")
    query = QUERY.model_copy(update={"question": message})
    answer = Answerer(retrieve, Scripted(draft)).answer(query, Run(mode=Mode.SIMPLE, chat=True))

    assert (answer.answerable, answer.model, answer.mode) == (True, "rule", Mode.SIMPLE)
    assert [step.name for step in answer.trace] == ["classify"]
    assert "small talk" in answer.notes[0]


def test_small_talk_is_searched_for_where_nobody_chats(passage: MakePassage) -> None:
    draft = Draft(text="None.", answerable=False, model="scripted")
    query = QUERY.model_copy(update={"question": "Thanks!"})
    answer = Answerer(lambda _: [passage(HOURS)], Scripted(draft)).answer(
        query, Run(mode=Mode.SIMPLE)
    )

    assert [step.name for step in answer.trace] == ["retrieve", "generate"]
