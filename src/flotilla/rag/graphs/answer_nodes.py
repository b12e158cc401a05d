"""The nodes that every graph has: retrieve, and generate."""

from typing import Any

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.models import Passage, Turn
from flotilla.rag.citations import by_chunk, renumber, verify
from flotilla.rag.extractive.fields import passages_needed
from flotilla.rag.generate import Draft
from flotilla.rag.graphs.stand_ins import stand_in
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Update
from flotilla.rag.llm.models import Models
from flotilla.rag.llm.roles import Role
from flotilla.rag.recital import recite
from flotilla.rag.refusals import not_found, nothing_retrieved
from flotilla.rag.support import unsupported
from flotilla.rag.text.asked import expanded
from flotilla.rag.whole_tables import needs_all_rows
from flotilla.rag.wordings import Rewording
from flotilla.settings import CACHED
from flotilla.step_times import timing_steps


def retrieve(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Search for the question, or for its other wording; what was kept before stays ahead."""
    query = state["query"]
    wording = expanded(state.get("wording", query.question))
    top_k = query.top_k if tools.models is not None else passages_needed(wording, query.top_k)
    asked = query.model_copy(update={"question": wording, "top_k": top_k})
    rewording = Rewording(tools.models, tools.meter, tools.checkpoint)
    with timing_steps() as times:
        if query.retrieval.queries:
            found = tools.retrieve(asked, reword=rewording)
        else:
            found = tools.retrieve(asked)
    kept = state.get("passages", [])
    known = {each.chunk_id for each in (*kept, *state.get("found", []))}
    fresh = [each for each in found if each.chunk_id not in known]
    searches = state.get("searches", 0) + 1
    update: Update = {**tools.within(kept + fresh), "searches": searches}
    if rewording.notes:
        update["notes"] = rewording.notes
    if tools.models is None and tools.read_tables is not None and needs_all_rows(wording):
        update["tables"] = tools.read_tables(query, found)
    saw: dict[str, Any] = {"searched_for": wording, "found": len(found), "new": len(fresh)}
    steps = query.retrieval.model_dump(mode="json", exclude_none=True)
    return update, saw | _given(retrieval=steps, took=times.milliseconds())


def _given(**parts: dict[str, Any]) -> dict[str, Any]:
    """Those that hold anything: nothing is timed where a cache had the passages."""
    return {name: value for name, value in parts.items() if value}


def generate(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Write the answer from the passages, and keep of it what its quotes bear out. Whoever listens
    has it then as it is kept. What of a model's words its passages cannot bear out is flagged.

    Where the budget is spent, or no model of the chain answers, something may stand in for it, and
    says so.
    """
    passages = state["passages"]
    question = state["query"].question
    if not passages:
        text = not_found(question) if state.get("found") else nothing_retrieved(question)
        draft = Draft(text=text, answerable=False, model=tools.writer.model)
        recite(draft.text, (), tools.listener)
        return {"draft": draft}, {"passages": 0, "answerable": False}
    tools.checkpoint()
    turns = state.get("turns", [])
    update: Update
    try:
        update = _written(state, tools, question, passages, turns)
    except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
        update = stand_in(state, tools, error)
    update["notes"] = [*update.get("notes", []), *update["draft"].notes]
    draft = verified(update["draft"], update.get("passages", passages), question)
    recite(draft.text, draft.citations, tools.listener)
    saw = {
        "passages": len(passages),
        "answerable": draft.answerable,
        "citations": len(draft.citations),
        "model": draft.model,
    }
    if turns:
        saw["turns"] = len(turns)
    if draft.answerable and draft.model != tools.spare.model and update.get("fallback") != CACHED:
        flagged = unsupported(draft.text, draft.citations, passages, question)
        update |= {"unsupported": flagged}
        if flagged:
            saw["unsupported"] = len(flagged)
    return update | {"draft": draft}, saw


def _written(
    state: State, tools: Tools, question: str, passages: list[Passage], turns: list[Turn]
) -> Update:
    """What the writer makes of the passages, with those of whole tables that it cites."""
    tables, own = state.get("tables"), state.get("own")
    if tables is None:
        return {"draft": tools.writer.generate(question, passages, turns, own=own)}
    draft = tools.spare.generate(question, passages, turns, own=own, tables=tables)
    cited = {each.chunk_id for each in draft.citations} - by_chunk(passages).keys()
    return {
        "draft": draft,
        "passages": [*passages, *(each for each in tables.passages if each.chunk_id in cited)],
    }


def models_for(tools: Tools, role: Role) -> Models | None:
    """The models, where one is there for a role; None where there is none."""
    return tools.models if tools.models is not None and tools.models.configured(role) else None


def verified(draft: Draft, passages: list[Passage], question: str) -> Draft:
    """The draft without citations that do not hold; not answerable where none is left."""
    if not draft.answerable:
        return draft.model_copy(update={"citations": ()})
    held = verify(draft.citations, passages)
    if len(held) == len(draft.citations):
        return draft.model_copy(update={"citations": held})  # its text stays as it was told
    text, citations = renumber(draft.text, held)
    if not citations:
        return Draft(text=not_found(question), answerable=False, model=draft.model)
    return draft.model_copy(update={"text": text, "citations": citations})
