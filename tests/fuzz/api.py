"""Schemathesis over the OpenAPI document against the running gateway."""

import logging
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import schemathesis
from schemathesis.engine import events, from_schema

from tests.fuzz import judgement
from tests.fuzz.judgement import LONGEST_SAMPLE, SLOWEST, Tally, tally_table
from tests.fuzz.ledger import Ledger, Standstill
from tests.fuzz.report import Table

ROUNDS = 12  # at most: operations without parameters have few cases, so the others fill up


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
                **{name: {"enabled": True} for name in (*judgement.CHECKS, "unsupported_method")},
            },
            "phases": {
                "examples": {"enabled": bounds},
                "coverage": {"enabled": bounds},
                "stateful": {"enabled": False},
            },
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    chosen = schema if only is None else schema.include(path_regex=only)
    for event in from_schema(chosen).execute():
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
            fault = judgement.unprovoked(status, case.operation.path, case.query, answering)
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
    return tally_table("operation", {f"`{label}`": tallies[label] for label in sorted(tallies)})


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
