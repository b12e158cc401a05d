"""All rows of the kill matrix, in the order in which they run."""

from tests.chaos.rows import broker, gateway, machine, stores, workers
from tests.chaos.trial import Row

ROWS: dict[str, Row] = {
    row.name: row for module in (workers, gateway, broker, stores, machine) for row in module.ROWS
}

WORST = ("redis-wiped", "twice")
"""The rows of the short form, which follow one another on one stack.

Each stage's death of a child and of a whole worker is tried in tests/integration/upkeep, and that
of whole fleets on a stack by `make chaos`.
"""
