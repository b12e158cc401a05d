"""Processes of `multiprocessing` that run a function of a test, forked from one that knows much.

A spawned one would import the language models' libraries, and the ledger's, for seconds.
"""

import multiprocessing
from multiprocessing.context import ForkServerContext

LOADED = (
    "pytest",
    "hypothesis",
    "psycopg",
    "alembic.command",
    "langchain_openai",
    "langgraph.checkpoint.postgres",
    "langgraph.checkpoint.sqlite",
    "flotilla.ledger.database",
    "flotilla.rag.answering",
    "flotilla.rag.checkpoints",
    "flotilla.rag.graphs.graph",
    "flotilla.rag.llm.breaker",
    "flotilla.rag.llm.limits",
    "flotilla.rag.llm.models",
    "tests.integration.rag.graph_runs",
)
"""What is loaded before anything is forked; none of it starts a thread."""


def forked_workers() -> ForkServerContext:
    """The context whose processes are forked; one process of this session loads for all."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    return context
