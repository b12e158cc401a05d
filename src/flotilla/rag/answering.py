"""From a question to an answer: a run of the graph that its mode names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from flotilla.answer_streams import UNHEARD, Listener
from flotilla.errors import ConfigurationError, DependencyUnavailable
from flotilla.models import Answer, ChatContextUsed, Mode, Passage, Query, Step
from flotilla.rag.earlier_attempts import failed_attempts, kept_steps, unkept_calls
from flotilla.rag.generate import Generator
from flotilla.rag.outcome import answer_of, calls_before
from flotilla.rag.recital import ToldSteps, recite
from flotilla.rag.small_talk import reply_to
from flotilla.settings import EXTRACTIVE, LLMSettings, RagSettings

if TYPE_CHECKING:
    from flotilla.rag.checkpoints import Checkpoints
    from flotilla.rag.graphs.state import ReadPage, ReadTables, Retrieve, State, Within
    from flotilla.rag.llm import Meter, Models
    from flotilla.rag.web import SearchWeb

MOST_STEPS = 50
"""Nodes of one run; no graph comes near it."""


WITHOUT_MODEL = {
    Mode.CRAG: "No language model is configured: passages were not graded, the question was not "
    "put in other words, and the answer is made of sentences of the documents.",
    Mode.REACT: "No language model is configured: nobody could search with tools, so the documents "
    "were searched once, and the answer is made of their sentences.",
}
"""What a reader is told of a mode that needs a model and has none."""


def _go_on() -> None:
    """Nobody can change his mind."""


def _none() -> None:
    """Nothing was kept."""


def _all_of(passages: list[Passage]) -> "State":
    return {"passages": passages}


@dataclass(frozen=True)
class Run:
    """How one question is answered.

    `mode` is the graph, that of the settings when not given; `meter` counts the calls, where some
    were made before. `checkpoint` is called before a model is, and what it raises ends the work;
    `within` chooses from what was found what the answer is written from; `earlier` gives an answer
    to the same question for when no model answers, and its age in seconds. `spent` are seconds that
    earlier attempts have worked, and `calls` those of models that they have left, in the place of
    which an attempt that fails puts its own; the budget is one for all. `thread` names the run
    among the checkpoints, without one it is not resumed; and `ground` what it rests on, without
    which it is not gone on with. `rewritten` says why the question was made to stand alone, None
    where it was not, and `own` is the question without the words that were brought to it for that.
    In a `chat`, small talk is replied to in every mode. `listener` is told of the steps and of the
    answer as they come, and what it raises ends the work.
    """

    mode: Mode | None = None
    meter: "Meter | None" = None
    checkpoint: Callable[[], None] = _go_on
    within: "Within" = _all_of
    earlier: Callable[[], tuple[Answer, float] | None] = _none
    thread: str | None = None
    spent: float = 0.0
    calls: list[dict[str, Any]] = field(default_factory=list)
    ground: str = ""
    rewritten: str | None = None
    own: str | None = None
    chat: bool = False
    listener: Listener = UNHEARD


@dataclass(frozen=True)
class Answered:
    """An answer, and what its context was drawn from where its question is of a conversation."""

    answer: Answer
    used: ChatContextUsed | None


class Answerer:
    """Answers questions from what retrieval finds, and from nothing else.

    Args:
        retrieve: finds the passages for a query, the best first.
        generator: writes answers without a language model, and stands in for one.
        models: the language models; None where there are none.
        settings: the fleet's: budgets, and the mode of questions that name none.
        pages_of: gives what reads a tenant's pages; None where there is nothing to read.
        search_web: searches the web; None where that is not done.
        checkpoints: keep runs with a model, so that another worker goes on with them.
        read_tables: reads the tables as a whole that a search has found a part of.
    """

    def __init__(
        self,
        retrieve: "Retrieve",
        generator: Generator,
        models: "Models | None" = None,
        settings: RagSettings | None = None,
        pages_of: "Callable[[str], ReadPage] | None" = None,
        search_web: "SearchWeb | None" = None,
        checkpoints: "Checkpoints | None" = None,
        read_tables: "ReadTables | None" = None,
    ) -> None:
        self._read_tables = read_tables
        self._checkpoints = checkpoints
        self._pages_of = pages_of
        self._search_web = search_web
        self._retrieve = retrieve
        self._generator = generator
        self._models = models
        self._settings = settings or RagSettings()

    def meter(self) -> "Meter":
        """What counts the model calls of one run, from now on."""
        from flotilla.rag.llm.meter import Meter

        return Meter(seconds=self._settings.budget_seconds, tokens=self._settings.budget_tokens)

    def answer(self, query: Query, run: "Run | None" = None) -> Answer:
        """An answer whose every quote stands in a passage word for word: see `run`."""
        return self.run(query, run or Run()).answer

    def run(self, query: Query, run: "Run") -> "Answered":
        """Run the graph, from where an earlier attempt at the same thread was cut off.

        Where nothing is found, or no citation of the draft holds, the answer is not answerable;
        it has the nearest passages all the same. `timings` has `retrieve` and `generate` in
        milliseconds, each the sum of its steps; verification of quotes is counted as generation.

        Raises:
            DependencyUnavailable: the vector store or the checkpoints are out of reach.
            ModelUnavailable: no model of the chain answers now, and nothing stands in for it.
            ModelRejected: the model's provider refuses this request.
        """
        from langsmith import tracing_context

        from flotilla.rag.checkpoints import translated
        from flotilla.rag.graphs.state import Tools

        mode = run.mode or Mode(self._settings.mode)
        meter = run.meter or self.meter()
        saved = self.saved(run.thread, mode, run.ground)
        before = self._count_again(saved, run.thread, meter) if saved else 0.0
        before = max(before, run.spent)
        meter.pass_seconds(before)
        follow_up = calls_before(meter.calls) if saved is None else []
        began = perf_counter() - before - sum(step.took for step in follow_up) / 1000
        tools = Tools(
            retrieve=self._retrieve,
            read_tables=self._read_tables,
            read_page=self._pages_of(query.tenant_id) if self._pages_of else None,
            search_web=self._search_web,
            writer=self._writer(meter, run.listener),
            spare=self._generator,
            models=self._models,
            meter=meter,
            checkpoint=run.checkpoint,
            within=run.within,
            earlier=run.earlier,
            listener=run.listener,
            told=ToldSteps(run.listener),
            clock=lambda: perf_counter() - began,
            rewrites=self._settings.rewrites,
            agent_calls=self._settings.agent_calls,
        )
        graph, options = self._graph(mode, run, query.question if saved is None else "")
        begin: State = {
            "query": query,
            "rewritten": run.rewritten,
            "own": run.own,
            "steps": follow_up,
            "notes": [],
        }
        failed = failed_attempts(run.calls, meter)
        for step in (*failed, *(saved or begin)["steps"]):
            tools.told.tell(step)
        try:
            # Users' documents go to the model that they chose and to nobody else.
            with translated(), tracing_context(enabled=False):
                state = graph.invoke(None if saved else begin, context=tools, **options)
        except Exception:
            self._leave_calls(run, mode, meter)
            raise
        answer = answer_of(query, mode, state, meter, self._notes(mode), failed)
        tools.told.complete(answer.trace)
        recite(answer.text, answer.citations, run.listener)
        return Answered(answer, state.get("used"))

    def _graph(self, mode: Mode, run: "Run", message: str) -> tuple[Any, dict[str, Any]]:
        """The graph of a mode, or that of a chat's small talk, and how it is run."""
        # Imported here: LangGraph is of no use to whoever only looks at this module.
        from flotilla.rag.graphs.graph import graph_of, small_talk_graph

        config: dict[str, Any] = {"recursion_limit": MOST_STEPS}
        if run.chat and reply_to(message) is not None:
            return small_talk_graph(), {"config": config}
        kept = self._kept
        if kept is None or run.thread is None:
            return graph_of(mode), {"config": config}
        config |= kept.config(run.thread, mode, run.ground)
        return graph_of(mode, kept.saver), {"config": config, "durability": "sync"}

    @property
    def _kept(self) -> "Checkpoints | None":
        """The checkpoints; None without a model: a run takes less then than keeping it would."""
        return self._checkpoints if self._models is not None else None

    def saved(self, thread: str | None, mode: Mode | None, ground: str) -> "State | None":
        """The state with which the run of this thread goes on; None where it begins."""
        if self._kept is None or thread is None:
            return None
        return self._kept.saved(thread, mode or Mode(self._settings.mode), ground)

    def _leave_calls(self, run: "Run", mode: Mode, meter: "Meter") -> None:
        """Leave the calls that no checkpoint keeps to the next attempt."""
        try:
            saved = self.saved(run.thread, mode, run.ground)
            kept = self._kept_steps(saved, run.thread) if saved else []
        except DependencyUnavailable:
            return  # what is kept is not known, and nothing is to be counted twice
        run.calls[:] = unkept_calls(meter.calls, kept)

    def _kept_steps(self, saved: "State", thread: str | None) -> list[Step]:
        assert self._checkpoints is not None  # noqa: S101 - nothing is saved without
        return kept_steps(saved, thread, self._checkpoints)

    def _count_again(self, saved: "State", thread: str | None, meter: "Meter") -> float:
        """Count what the attempts before took, and return their seconds."""
        from flotilla.rag.llm.roles import Role

        assert self._models is not None  # noqa: S101 - nothing is saved without
        steps = self._kept_steps(saved, thread)
        for call in (call for step in steps for call in step.calls):
            first = self._models.name(Role(call.role))
            meter.record(call, stands_in=call.error is None and call.model != first)
        return max(step.started + step.took for step in steps) / 1000

    def _writer(self, meter: "Meter", listener: Listener) -> Generator:
        if self._models is None:
            return self._generator
        from flotilla.rag.generate import ModelGenerator

        return ModelGenerator(self._models, meter, listener)

    def _notes(self, mode: Mode) -> list[str]:
        return [WITHOUT_MODEL[mode]] if self._models is None and mode in WITHOUT_MODEL else []


def build_generator(embedder: Any) -> Generator:
    """The generator that needs no language model."""
    from flotilla.rag.extractive.generator import ExtractiveGenerator

    return ExtractiveGenerator(embedder)


def build_models(settings: LLMSettings, redis_url: str | None) -> "Models | None":
    """The language models of the settings; None where answers are extractive.

    Raises:
        ConfigurationError: a model cannot be used as it is configured.
    """
    if settings.model == EXTRACTIVE:
        if settings.grade_model or settings.rewrite_model:
            raise ConfigurationError(
                "FLOTILLA_LLM_GRADE_MODEL and FLOTILLA_LLM_REWRITE_MODEL need LLM_MODEL to be a "
                "language model too: set it, or leave them out."
            )
        return None
    from flotilla.rag.llm import Models

    return Models(settings, redis_url)
