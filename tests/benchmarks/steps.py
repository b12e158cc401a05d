"""Where the seconds of an ingestion went, as its workers have logged them."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from flotilla.pipelines import ORDER
from flotilla.step_times import WHOLE
from tests.benchmarks.report import Table

EVENT = "stage.steps"
ENVIRONMENT = {"FLOTILLA_LOG_STEPS": "true", "FLOTILLA_LOG_FORMAT": "json"}
"""What has a stack log them."""


def table(logs: Path, began: datetime, ended: datetime, chunks: int) -> Table:
    """Seconds by stage and step of the tasks that ended between two moments."""
    spent: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    tasks: Counter[str] = Counter()
    for entry in _entries(logs, began, ended):
        stage = entry["stage"]
        tasks[stage] += 1
        for at, kind in enumerate(("wall", "cpu")):
            for step, seconds in entry[kind].items():
                spent[stage, step][at] += seconds
                if step != WHOLE:
                    spent[stage, "the rest"][at] -= seconds
            spent[stage, "the rest"][at] += entry[kind][WHOLE]
    lines = []
    for stage in sorted(tasks, key=ORDER["ingest"].index):
        steps = [(step, both) for (of, step), both in spent.items() if of == stage]
        for step, (wall, cpu) in sorted(steps, key=lambda found: -found[1][0]):
            if max(wall, cpu) >= 0.01:
                per_chunk = f"{1000 * cpu / chunks:.2f}"
                lines.append(
                    (f"{stage}, {step}", str(tasks[stage]), f"{wall:.2f}", f"{cpu:.2f}", per_chunk)
                )
    return Table(
        "Where the seconds of one round of ingestion went",
        ("stage, step", "tasks", "seconds", "CPU s", "CPU ms a chunk"),
        lines,
    )


def _entries(logs: Path, began: datetime, ended: datetime) -> Iterator[dict[str, Any]]:
    for file in logs.glob("*.log*"):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if EVENT not in line:
                continue
            entry = json.loads(line)
            ended_at = datetime.fromisoformat(entry["timestamp"])
            if entry["stage"] in ORDER["ingest"] and began <= ended_at <= ended:
                yield entry
