"""Which answers are wrong, whoever made the request.

Beside Schemathesis' own checks of an answer (documented status, content type, body and headers as
the schema says) two of ours: a 5xx is right only where the operation documents that very status, as
it does 504 for an answer that is late, and only where the request itself has brought it about. None
can: but by asking for an answer within less time than one takes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from tests.fuzz.report import Table

SLOWEST = 25.0  # seconds, above every wait of this stack's settings
SHORT_TIMEOUT = 5.0  # seconds: who gives an answer no longer may get a 504, even of an idle stack
LONGEST_SAMPLE = 1500  # characters of what is printed of a failure


@dataclass
class Tally:
    """What some requests were and what was answered."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)

    def fail(self, fault: str, sample: str) -> None:
        """Count a failure; the first of its kind is kept as the sample."""
        self.failures[fault] += 1
        self.samples.setdefault(fault, sample[:LONGEST_SAMPLE])


@schemathesis.check
def only_documented_server_errors(ctx: Any, response: Any, case: Any) -> None:
    """A 5xx that the operation does not name is a crash."""
    if response.status_code >= 500:
        documented = case.operation.definition.raw.get("responses", {})
        assert response.status_code != 500, "500, which no operation may answer"
        assert str(response.status_code) in documented, f"{response.status_code} is not documented"


FUNCTIONS = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    only_documented_server_errors,
)
CHECKS = tuple(check.__name__ for check in FUNCTIONS)
"""What is asked of each answer, by the names that Schemathesis knows it by."""


def is_provoked(status: int, query: Mapping[str, Any] | None) -> bool:
    """Whether an answer of 5xx is what the request itself has asked for, by its query.

    Of a parameter that is said several times the gateway takes the last.
    """
    if status != 504:
        return False
    try:
        said = (query or {})["timeout"]
        return float(said[-1] if isinstance(said, list) else said) < SHORT_TIMEOUT
    except (KeyError, IndexError, TypeError, ValueError):
        return False


def unprovoked(status: int, path: str, query: Mapping[str, Any] | None, answering: bool) -> str:
    """What is wrong with a status alone; empty where nothing is.

    Args:
        status: of the answer.
        path: of the operation, as the document has it.
        query: of the request.
        answering: whether fleets and Qdrant stand behind the gateway; where they do not, every
            answer is late, and the gateway is not ready.
    """
    alone = not answering and (status == 504 or path == "/health/ready")
    if status < 500 or alone or is_provoked(status, query):
        return ""
    return f"unprovoked {status}"


def summed(tallies: Iterable[Tally]) -> Tally:
    """All of them as one; their samples stay with them."""
    total = Tally()
    for tally in tallies:
        total.cases += tally.cases
        total.statuses += tally.statuses
        total.failures += tally.failures
    return total


def tally_table(head: str, tallies: Mapping[str, Tally]) -> Table:
    """A line for each tally, and one for all: requests, answers by status, failures."""
    lines = [(name, *_shown(tally)) for name, tally in tallies.items()]
    total = (f"**{each}**" for each in _shown(summed(tallies.values())))
    return Table((head, "cases", "answers by status", "failures"), [*lines, ("**all**", *total)])


def _shown(tally: Tally) -> tuple[str, str, str]:
    statuses = (f"{status}: {count:,}" for status, count in sorted(tally.statuses.items()))
    failures = (f"{name}: {count:,}" for name, count in tally.failures.items())
    return f"{tally.cases:,}", ", ".join(statuses) or "–", ", ".join(failures) or "0"


class Judge:
    """Judges answers by the OpenAPI document of a gateway, as Schemathesis does its own cases'.

    Args:
        url: of the gateway.
        answering: see `unprovoked`.
    """

    def __init__(self, url: str, answering: bool) -> None:
        self._schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        self._answering = answering
        self.document: dict[str, Any] = self._schema.raw_schema

    def faults(
        self, template: str, method: str, query: Mapping[str, Any], answer: httpx.Response
    ) -> dict[str, str]:
        """What is wrong with an answer to the operation: a sentence each, by the failed check."""
        case = self._schema[template][method].Case(query=dict(query))
        found: dict[str, str] = {}
        try:
            case.validate_response(answer, checks=list(FUNCTIONS))
        except FailureGroup as group:
            found |= {type(each).__name__: str(each) for each in group.exceptions}
        if fault := unprovoked(answer.status_code, template, query, self._answering):
            found[fault] = fault
        return found
