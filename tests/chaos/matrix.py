"""All rows of the kill matrix, in the order in which they run."""

from tests.chaos.rows import broker, gateway, machine, stores, workers
from tests.chaos.trial import Row

ROWS: dict[str, Row] = {
    row.name: row for module in (workers, gateway, broker, stores, machine) for row in module.ROWS
}

SHORT, LONGER = "twice", ("redis-wiped", "chord")
"""The rows of the suite's short form and of its thorough one, one after another on one stack.

Each stage's death of a child and of a whole worker is tried in tests/integration/upkeep, and all
rows by `make chaos`.
"""
