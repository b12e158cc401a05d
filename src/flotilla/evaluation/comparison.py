"""What was found, measured: every setting of retrieval beside the others, on the same questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flotilla.evaluation import measures, span_measures
from flotilla.evaluation.alignment import Range
from flotilla.evaluation.data_sets import DataSet, Kind
from flotilla.evaluation.measures import Values
from flotilla.evaluation.ranking import ranked
from flotilla.evaluation.retrieval import Hit, Retrieved
from flotilla.evaluation.significance import Difference, Estimate, differences, estimate
from flotilla.evaluation.span_measures import Stretch

Locate = Callable[[str, Hit], Sequence[Range]]
"""Where in a source a hit stands, as ranges of its characters."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds at the median and at the 95th percentile."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All that is measured of one setting.

    `against` has, by measure, how it compares with the first setting; that one has none. `server`
    is what the rag fleet took by its own clock, None for what is no fleet.
    """

    name: str
    settings: dict[str, Any]
    form: str
    estimates: dict[str, Estimate]
    client: Latency
    server: Latency | None
    against: dict[str, Difference] = field(default_factory=dict)


def measure(
    data_set: DataSet,
    found: Sequence[Retrieved],
    found_as: dict[str, list[str]],
    locate: Locate,
) -> dict[str, Values]:
    """All measures that the kind of data set has, one value a judged question.

    Args:
        data_set: what is right.
        found: one a judged question, in their order.
        found_as: ids of sources by the name of their document.
        locate: where a hit stands, asked for spans alone.
    """
    questions = [each.question for each in found]
    if data_set.kind is Kind.SPANS:
        stretches = {
            each.question: [
                Stretch(source, tuple(locate(source, hit)))
                for hit in each.hits
                for source in found_as.get(hit.document, ())
            ]
            for each in found
        }
        return span_measures.measure(stretches, data_set.spans, questions)
    ranks = {each.question: ranked(data_set.kind, each.hits, found_as) for each in found}
    return measures.measure(data_set.kind, ranks, data_set.grades, questions)


def latency(milliseconds: Sequence[float]) -> Latency:
    """Median and 95th percentile."""
    p50, p95 = np.percentile(milliseconds, (50, 95))
    return Latency(float(p50), float(p95))


def compare(
    found: dict[str, Sequence[Retrieved]],
    values: dict[str, dict[str, Values]],
    settings: dict[str, tuple[dict[str, Any], str]],
) -> list[Figures]:
    """The figures of all settings, each compared with the first.

    Args:
        found: by the setting's name, for the latencies.
        values: by the setting's name, what `measure` gave; all of the same questions.
        settings: by the setting's name, what it asks for, and in which form the questions are.
    """
    names = list(found)
    compared = {
        measured: differences([values[name][measured] for name in names])
        for measured in values[names[0]]
    }
    figures = []
    for place, name in enumerate(names):
        server = [each.server_ms for each in found[name] if each.server_ms is not None]
        asked, form = settings[name]
        figures.append(
            Figures(
                name=name,
                settings=asked,
                form=form,
                estimates={each: estimate(row) for each, row in values[name].items()},
                client=latency([each.client_ms for each in found[name]]),
                server=latency(server) if server else None,
                against={
                    measured: difference
                    for measured, row in compared.items()
                    if (difference := row[place]) is not None
                },
            )
        )
    return figures
