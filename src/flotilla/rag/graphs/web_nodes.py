"""The node that searches the web, where the documents hold too little."""

from typing import Any

from flotilla.errors import WebSearchUnavailable
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Update

SEARCHED = "The documents held too little on this question, so the web was searched as well."


def search_web(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Search the web for the question; an answer never fails for it."""
    assert tools.search_web is not None  # noqa: S101 - no edge leads here then
    wording = state.get("wording", state["query"].question)
    update: Update = {"searched_web": True}
    try:
        found = tools.search_web(wording, tools.meter.remaining_seconds())
    except WebSearchUnavailable as error:
        update["notes"] = [f"The web was not searched: {error.message}"]
        return update, {"searched_for": wording, "found": 0}
    update |= {**tools.within(state.get("passages", []) + found), "notes": [SEARCHED]}
    return update, {"searched_for": wording, "found": len(found)}
