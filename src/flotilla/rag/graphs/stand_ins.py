"""What stands in for a language model that gave no answer: words of the fallback chain."""

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.rag.citations import verify
from flotilla.rag.generate import Draft
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Update
from flotilla.settings import CACHED, EXTRACTIVE

NOTHING_DRAWN = {
    "passages": 0,
    "passage_tokens": 0,
    "turns": 0,
    "turn_tokens": 0,
    "recalled": 0,
    "messages": (),
}
"""Of the context that was drawn, what went into an answer that was there already."""

NO_MODEL = "No language model answered"
SPENT = "The budget of this answer was spent before a language model had written it"


def has_stand_in(tools: Tools) -> bool:
    """Whether something may stand in where no model answers."""
    return tools.models is not None and bool(tools.models.after_models())


def stand_in(
    state: State, tools: Tools, error: BudgetSpent | ModelRejected | ModelUnavailable
) -> Update:
    """The draft that stands in, with what follows from it.

    Where the budget is spent it is made of sentences of the passages, whatever the chain says: that
    is the best answer so far. Where no model answers, or all refuse, the chain decides.

    Raises:
        ModelUnavailable, ModelRejected: the one given, where nothing stands in.
    """
    if isinstance(error, BudgetSpent):
        return _extracted(state, tools, SPENT)
    for word in tools.models.after_models() if tools.models is not None else ():
        if word == CACHED and (earlier := _earlier(state, tools)) is not None:
            return earlier
        if word == EXTRACTIVE:
            return _extracted(state, tools, NO_MODEL)
    raise error


def _extracted(state: State, tools: Tools, why: str) -> Update:
    draft = tools.spare.generate(state["query"].question, state["passages"], own=state.get("own"))
    if draft.answerable:
        note = f"{why}: these are the sentences of the documents that answer best."
    else:
        note = f"{why}, and no sentence of the documents answers the question by itself."
    return {"draft": draft, "fallback": draft.model, "notes": [note]}


def _earlier(state: State, tools: Tools) -> Update | None:
    """An earlier answer that the documents still bear out, as it was given then."""
    found = tools.earlier()
    if found is None:
        return None
    answer, age = found
    passages = list(answer.passages)
    if len(verify(answer.citations, passages)) < len(answer.citations):
        return None  # another version of Flotilla kept it without all that it cites
    minutes = max(1, round(age / 60))
    draft = Draft(text=answer.text, answerable=True, citations=answer.citations, model=answer.model)
    nothing_drawn = (
        {"used": state["used"].model_copy(update=NOTHING_DRAWN)} if "used" in state else {}
    )
    return nothing_drawn | {
        "draft": draft,
        "passages": passages,
        "unsupported": list(answer.unsupported),
        "fallback": CACHED,
        "notes": [
            f"{NO_MODEL}: this answer was given {minutes} "
            f"minute{'s' if minutes > 1 else ''} ago. The documents have not changed since."
        ],
    }
