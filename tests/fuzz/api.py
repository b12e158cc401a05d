"""Schemathesis over the OpenAPI document against the running gateway.

Beside its own checks of an answer (documented status, content type, body and headers as the
schema says) two of ours: a 5xx is right only where the operation documents that very status, as it
does 504 for an answer that is late, and only where the case itself has brought it about. No case
can: but by asking for an answer within less time than one takes.
"""

import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import schemathesis
from schemathesis.engine import events, from_schema

from tests.fuzz.ledger import Ledger, Standstill
from tests.fuzz.report import Table

ROUNDS = 12  # at most: operations without parameters have few cases, so the others fill up
SLOWEST = 25.0  # seconds, above every wait of this stack's settings
SHORT_TIMEOUT = 5.0  # seconds: who gives an answer no longer may get a 504, even of an idle stack
LONGEST_SAMPLE = 1500  # characters of what is printed of a failure


@dataclass
class Tally:
    """What one operation was asked and what it answered."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)


@schemathesis.check
def only_documented_server_errors(ctx: Any, response: Any, case: Any) -> None:
    """A 5xx that the operation does not name is a crash."""
    if response.status_code >= 500:
        documented = case.operation.definition.raw.get("responses", {})
        assert response.status_code != 500, "500, which no operation may answer"
        assert str(response.status_code) in documented, f"{response.status_code} is not documented"


def is_provoked(status: int, query: Mapping[str, Any] | None) -> bool:
    """Whether an answer of 5xx is what the case itself has asked for, by its query."""
    if status != 504:
        return False
    try:
        return float((query or {})["timeout"]) < SHORT_TIMEOUT
    except (KeyError, TypeError, ValueError):
        return False


def run(
    url: str,
    cases: int,
    seed: int,
    say: Callable[[str], None],
    only: str | None = None,
    brief: bool = False,
    answering: bool = True,
) -> dict[str, Tally]:
    """Send at least so many cases to the gateway; returns a tally by operation.

    Args:
        url: of the gateway.
        cases: how many, at least, as long as the document has so many different ones.
        seed: of the first round; each further round takes the next.
        say: takes a line of progress.
        only: a regular expression that an operation's path must match.
        brief: one round, without the cases at the bounds of each parameter.
        answering: whether the fleets and Qdrant stand behind the gateway; where they do not, every
            answer is late, and the gateway is not ready.
    """
    warnings.filterwarnings("ignore", module="schemathesis")
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    tallies: dict[str, Tally] = {}
    share = 0
    for number in range(1 if brief else ROUNDS):
        sent = sum(tally.cases for tally in tallies.values())
        if sent >= cases:
            break
        # Those with few cases have shown so in the first round.
        fertile = sum(tally.cases > share / 2 for tally in tallies.values()) or 40
        share = max(5, -(-(cases - sent) // fertile))
        say(f"api: round {number + 1}, {sent:,} of {cases:,} cases sent")
        _round(url, seed + number, share, tallies, only, answering, number == 0 and not brief)
    return tallies


def _round(
    url: str,
    seed: int,
    share: int,
    tallies: dict[str, Tally],
    only: str | None,
    answering: bool,
    bounds: bool,
) -> None:
    config = schemathesis.Config.from_dict(
        {
            "seed": seed,
            # More would compile at once, over which CPython's own parser breaks down at times.
            "workers": 1,
            "continue-on-failure": True,
            "request-timeout": SLOWEST,
            # An open batch's stream tells where it stands, and then nothing for minutes.
            "max-stream-events": 1,
            "generation": {"max-examples": share, "no-shrink": True, "database": "none"},
            "checks": {
                "enabled": False,
                **{
                    name: {"enabled": True}
                    for name in (
                        "status_code_conformance",
                        "content_type_conformance",
                        "response_schema_conformance",
                        "response_headers_conformance",
                        "unsupported_method",
                        "only_documented_server_errors",
                    )
                },
            },
            "phases": {
                "examples": {"enabled": bounds},
                "coverage": {"enabled": bounds},
                "stateful": {"enabled": False},
            },
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    if only is not None:
        schema = schema.include(path_regex=only)
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _count(event.recorder, tallies.setdefault(event.recorder.label, Tally()), answering)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            tally = tallies.setdefault(getattr(event, "label", None) or "(the run)", Tally())
            error = getattr(event, "value", None) or event.exception  # type: ignore[union-attr]
            tally.failures[type(error).__name__] += 1
            tally.samples.setdefault(type(error).__name__, str(error)[:LONGEST_SAMPLE])


def _count(recorder: Any, tally: Tally, answering: bool) -> None:
    for case_id, interaction in recorder.interactions.items():
        tally.cases += 1
        case = recorder.cases[case_id].value
        if interaction.response is None:
            fault = "no answer"
        else:
            status = interaction.response.status_code
            tally.statuses[status] += 1
            alone = not answering and (status == 504 or case.operation.path == "/health/ready")
            fault = ""
            if status >= 500 and not alone and not is_provoked(status, case.query):
                fault = f"unprovoked {status}"
        if fault:
            tally.failures[fault] += 1
            tally.samples.setdefault(fault, case.as_curl_command()[:LONGEST_SAMPLE])
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                tally.failures[check.name] += 1
                failure, curl = check.failure_info.failure, check.failure_info.code_sample
                interaction = recorder.interactions.get(case_id)
                answer = ""
                if interaction is not None and interaction.response is not None:
                    body = interaction.response.content or b""
                    answer = f"{interaction.response.status_code} {body[:400]!r}"
                tally.samples.setdefault(
                    check.name,
                    f"{failure.title}: {failure.message}\n{curl[:LONGEST_SAMPLE]}\n{answer}",
                )


def table(tallies: dict[str, Tally]) -> Table:
    """By operation: cases, answers by status, failures."""
    lines = [
        (
            f"`{label}`",
            f"{tally.cases:,}",
            ", ".join(f"{status}: {count:,}" for status, count in sorted(tally.statuses.items())),
            ", ".join(f"{name}: {count:,}" for name, count in tally.failures.items()) or "0",
        )
        for label, tally in sorted(tallies.items())
    ]
    cases = sum(tally.cases for tally in tallies.values())
    statuses = sum((tally.statuses for tally in tallies.values()), Counter[int]())
    failures = sum(tally.failures.total() for tally in tallies.values())
    everything = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    lines.append(("**all**", f"**{cases:,}**", everything, f"**{failures:,}**"))
    return Table(("operation", "cases", "answers by status", "failures"), lines)


def ends_of_tasks(url: str, ledger: Ledger, patience: float = 180.0) -> Counter[str]:
    """How the tasks that the cases began have ended, by state or error code; `no state` for those
    that have not when nothing in the ledger has moved for `patience` seconds."""
    with httpx.Client(base_url=url, timeout=60.0) as http:
        for task in list(_listed(http, status="processing", kind="batch")):
            # An open one waits for more of its documents, ten minutes long.
            http.delete(f"/tasks/{task['task_id']}")
        standstill = Standstill(ledger.fingerprint)
        while standstill.seconds() < patience and any(
            next(_listed(http, status=status), None) for status in ("pending", "processing")
        ):
            time.sleep(1.0)
        ends = Counter(
            (task.get("error") or {}).get("code") or task["status"] for task in _listed(http)
        )
        for state in ("pending", "processing"):
            ends["no state"] += ends.pop(state, 0)
        return +ends


def _listed(http: httpx.Client, **filters: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = http.get(
            "/tasks", params={"limit": "100", **filters, **({"cursor": cursor} if cursor else {})}
        ).json()
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
