"""The steps of an evaluation: ingest, build the baseline, ask, measure; with bars meanwhile."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from flotilla.cli.interrupts import in_thread
from flotilla.cli.terminal import err, is_interactive, print_note
from flotilla.client import Flotilla, FlotillaAPIError
from flotilla.errors import DataSetInvalid, ExtraMissing, InvalidRequest
from flotilla.evaluation import answers, comparison, details
from flotilla.evaluation.alignment import Alignment, Range, ingested_text
from flotilla.evaluation.baseline import NAME, Baseline
from flotilla.evaluation.collection import active_model, baseline_name, collection_name, prepare
from flotilla.evaluation.conversations import Conversations
from flotilla.evaluation.data_sets import CONVERSATION, TEXT, DataSet, Kind, Question
from flotilla.evaluation.gold import Gold
from flotilla.evaluation.ingestion import Ingested, ingest
from flotilla.evaluation.judge import Judge
from flotilla.evaluation.report import Report
from flotilla.evaluation.retrieval import Fleet, Hit, Search, remarks
from flotilla.evaluation.retrieval import run as ask_all
from flotilla.evaluation.variants import Variant
from flotilla.models import Mode
from flotilla.retrieval_steps import FIELD
from flotilla.settings import Settings, cores

LIBRARIES = ("scipy", "ir_measures", "matplotlib", "langchain_text_splitters")

SHOWN_FAILURES = 10

WELL_ALIGNED = 0.98
"""Below this share of a text's letters that were found in its file, a note says so."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be evaluated, and how."""

    data_set: DataSet
    variants: Sequence[Variant]
    baseline: bool
    form: str
    top_k: int
    questions: int | None
    collection: str | None
    fresh: bool
    answers: bool = False
    mode: Mode | None = None
    judge: str | None = None
    details: Path | None = None


def check_extra() -> None:
    """See to it that the libraries of the extra `eval` are there.

    Raises:
        ExtraMissing: saying how they are installed.
    """
    if any(find_spec(name) is None for name in LIBRARIES):
        raise ExtraMissing(
            "Evaluating needs libraries that are not installed: `make install-eval`, or `pip "
            "install 'flotilla[eval]'`, installs them."
        )


def run(flotilla: Flotilla, settings: Settings, request: Request) -> Report:
    """Carry the evaluation out.

    Raises:
        DataSetInvalid: nothing could be ingested, or the questions have no such form.
        FlotillaAPIError, GatewayUnreachable: as every call does.
        KeyboardInterrupt: by Ctrl-C; what was ingested is not ingested again.
    """
    stopped = threading.Event()
    try:
        return in_thread(lambda: _Run(flotilla, settings, request, stopped).carry_out())
    finally:
        stopped.set()


class _Run:
    def __init__(
        self, flotilla: Flotilla, settings: Settings, request: Request, stopped: threading.Event
    ) -> None:
        self._flotilla = flotilla
        self._settings = settings
        self._request = request
        self._data_set = request.data_set
        self._stopped = stopped
        self._notes: list[str] = []

    def carry_out(self) -> Report:
        asked = self._asked()
        # Before anything is ingested: a judge that cannot be had is told of at once.
        judge = self._judge()
        for remark in self._data_set.remarks:
            print_note(remark)
        model = active_model(self._flotilla)
        named = self._request.collection
        collection = named or collection_name(self._data_set, self._settings, model)
        prepare(self._flotilla, collection, fresh=False)
        self._try(collection, asked)
        ingested = self._ingest(collection)
        searches: dict[str, Search] = {
            each.name: self._search(collection, each) for each in self._request.variants
        }
        if self._request.baseline:
            searches[NAME] = self._baseline(model)
        with self._bar("questions") as report:
            try:
                found = ask_all(searches, self._request.form, asked, report)
            finally:
                for search in searches.values():
                    if isinstance(search, Conversations):
                        search.close()
        self._notes += remarks(found)
        locate = self._locate(ingested)
        own_names = {each.name: [each.id] for each in self._data_set.sources}
        values = {
            name: comparison.measure(
                self._data_set,
                found[name],
                own_names if name == NAME else ingested.found_as,
                as_they_are if name == NAME else locate,
            )
            for name in found
        }
        forms = {each.name: each.form or self._request.form for each in self._request.variants}
        settings = {each.name: (each.settings, forms[each.name]) for each in self._request.variants}
        settings[NAME] = ({}, self._request.form)
        if self._request.details is not None:
            forms[NAME] = self._request.form
            details.write(self._request.details, self._data_set, asked, found, values, forms)
        return Report(
            data_set=self._data_set.name,
            kind=self._data_set.kind,
            collection=collection,
            model=model,
            documents=len(self._data_set.sources) - len(ingested.failed),
            chunks=ingested.chunks,
            questions=len(asked),
            top_k=self._request.top_k,
            figures=comparison.compare(dict(found), values, settings),
            notes=self._notes,
            failed=[{"name": each.name, "message": each.message} for each in ingested.failed],
            answers=self._answers(collection, ingested, locate, judge),
        )

    def _judge(self) -> Judge | None:
        from flotilla.rag.llm.roles import is_model

        model = self._request.judge or self._settings.llm.model
        if not self._request.answers or not is_model(model):
            return None
        return Judge(self._settings.llm, model)

    def _answers(
        self,
        collection: str,
        ingested: Ingested,
        locate: comparison.Locate,
        judge: Judge | None,
    ) -> answers.AnswersReport | None:
        request = self._request
        if not request.answers:
            return None
        questions = answers.with_answers(self._data_set)[: request.questions]
        with self._bar("answers") as report:
            asked = answers.ask(
                self._flotilla, collection, questions, request.form, request.mode, report
            )
        gold = Gold(self._data_set, ingested.found_as, locate)
        with self._bar("judgements") as report:
            return answers.measure(asked, gold, judge, request.mode, report)

    @contextmanager
    def _bar(self, what: str) -> Iterator[Callable[[int, int], None]]:
        """What is told how far something is; it raises once Ctrl-C has ended the command."""
        with _bar(what) as report:

            def go_on(done: int, total: int) -> None:
                if self._stopped.is_set():
                    raise InterruptedError("The evaluation was interrupted.")
                report(done, total)

            yield go_on

    def _asked(self) -> list[Question]:
        """The judged questions that are asked, once each has every form that is asked for."""
        asked = self._data_set.judged[: self._request.questions]
        for form in {self._request.form, *(each.form for each in self._request.variants)}:
            for question in asked:
                if form is not None:
                    question.form(form)
        return asked

    def _try(self, collection: str, asked: Sequence[Question]) -> None:
        """Ask one question under each setting, the longest one, so that what the gateway refuses is
        told before anything is ingested."""
        form = self._request.form
        for variant in self._request.variants:
            texts = variant if variant.form != CONVERSATION else replace(variant, form=TEXT)
            longest = max(asked, key=lambda each: len(each.form(texts.form or form)))
            try:
                Fleet(self._flotilla, collection, texts, self._request.top_k)(longest, form)
            except FlotillaAPIError as error:
                if not any(each.field.startswith(FIELD) for each in error.problem.errors or ()):
                    raise
                raise InvalidRequest(f"{variant.name}: {error}", field="--compare") from None

    def _ingest(self, collection: str) -> Ingested:
        if self._request.fresh:
            prepare(self._flotilla, collection, fresh=True)
        with self._bar("documents") as report:
            ingested = ingest(self._flotilla, self._data_set, collection, report, self._stopped)
        print_note(
            f"Collection {collection}: {ingested.sent:,} of {ingested.sources:,} documents were "
            f"ingested now, {len(ingested.failed):,} failed."
        )
        for each in ingested.failed[:SHOWN_FAILURES]:
            print_note(f"{each.name}: {each.message}")
        if not ingested.found_as:
            raise DataSetInvalid(
                f"None of the {ingested.sources:,} documents could be ingested: "
                f"`flotilla documents --collection {collection}` says why."
            )
        if ingested.failed:
            self._notes.append(
                f"{len(ingested.failed):,} documents could not be ingested, and are never found."
            )
        return ingested

    def _search(self, collection: str, variant: Variant) -> Search:
        form = variant.form or self._request.form
        kind = Conversations if form == CONVERSATION else Fleet
        return kind(self._flotilla, collection, variant, self._request.top_k)

    def _baseline(self, model: str) -> Baseline:
        from flotilla.vectorstore.embedders import load_embedder

        embedder = load_embedder(self._settings, threads=1, lanes=cores(), model=model or None)
        name = baseline_name(self._data_set, model)
        kept = self._settings.data_dir / "evaluation" / f"{name}.json"
        with self._bar("baseline's chunks") as report:
            built = Baseline(self._data_set, embedder, kept, self._request.top_k, report)
        if built.left_out:
            self._notes.append(
                f"{NAME}: {len(built.left_out):,} documents are left out, since their text could "
                "not be read."
            )
        return built

    def _locate(self, ingested: Ingested) -> comparison.Locate:
        """Where hits of Flotilla's documents stand in the files."""
        alignments: dict[str, Alignment] = {}
        if self._data_set.kind is Kind.SPANS:
            texts = {each.id: each.read().decode() for each in self._data_set.sources}
            for source, document in ingested.documents.items():
                text = ingested_text(self._flotilla, document)
                alignments[source] = Alignment(text, texts[source])
                if (share := alignments[source].share) < WELL_ALIGNED:
                    self._notes.append(
                        f"Of {source} only {share:.0%} of the characters are found where gold "
                        "spans are counted, so that its figures are too low."
                    )

        def locate(source: str, hit: Hit) -> list[Range]:
            return alignments[source].ranges(hit.start, hit.end)

        return locate


def as_they_are(_source: str, hit: Hit) -> list[Range]:
    """The baseline's offsets are the file's."""
    return [(hit.start, hit.end)]


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where a person watches, and nothing elsewhere."""
    if not is_interactive():
        yield lambda _done, _total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err(), transient=True) as bars:
        shown = bars.add_task(what, total=None)

        def report(done: int, total: int) -> None:
            bars.update(shown, completed=done, total=total)

        yield report
