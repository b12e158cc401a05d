"""The nodes of `crag`, after Yan et al. 2024 (arXiv:2401.15884, "Corrective Retrieval Augmented
Generation"): classify, grade, rewrite, verify.

Judges reply with structured output, one call for all that there is to judge. An answer never fails
for a judge: where one does not reply, what it would have judged is taken as it is, and a note says
so. Without a language model only small talk is told apart, by its words.
"""

from typing import Any

from pydantic import BaseModel, Field

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import Unsupported
from flotilla.rag.citations import by_chunk
from flotilla.rag.claims import claims_of
from flotilla.rag.generate import Draft, render
from flotilla.rag.graphs.answer_nodes import models_for
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Update
from flotilla.rag.inactive import inactive
from flotilla.rag.llm.roles import Role
from flotilla.rag.prompts import prompt
from flotilla.rag.small_talk import LONGEST, confirmed_reply, reply_to
from flotilla.rag.support import UNCITED
from flotilla.rag.untrusted import as_data, visible
from flotilla.settings import CACHED

logger = get_logger(__name__)

CLASSIFY, GRADE, REWRITE, VERIFY = "classify.v2", "grade.v1", "rewrite.v1", "verify.v1"


class Classification(BaseModel):
    """What a message is."""

    small_talk: bool = Field(description="Whether it is a greeting, thanks, or small talk alone.")


class Grades(BaseModel):
    """Which passages bear on a question."""

    relevant: list[int] = Field(description="Numbers of the passages that help to answer it.")


class Rewriting(BaseModel):
    """A question in other words."""

    query: str = Field(description="What to search for in place of the question.")


class Verdict(BaseModel):
    """Whether a statement is borne out."""

    statement: int = Field(description="The statement's number.")
    supported: bool
    reason: str = Field("", description="Where it is not: what the passages lack, in a sentence.")


class Verdicts(BaseModel):
    """Each statement's verdict."""

    verdicts: list[Verdict]


def classify(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Tell small talk from questions, so that nothing is searched for a greeting.

    A model is believed only where nothing in the message may ask for a fact; what it would reply is
    never used, since no document bears it out.
    """
    question = state["query"].question
    reply = reply_to(question)
    if reply is not None:
        return _small_talk(reply, []), {"kind": "small_talk", "by": "rule"}
    if models_for(tools, Role.GRADE) is None or len(question) > LONGEST:
        return {}, {"kind": "question", "by": "rule"}
    judged, notes = _ask(tools, Role.GRADE, CLASSIFY, as_data(question), Classification)
    if judged is None:
        return {"notes": notes}, {"kind": "question", "by": "nobody"}
    if not judged.small_talk:
        return {"notes": notes}, {"kind": "question", "by": "model"}
    reply = confirmed_reply(question)
    if reply is None:
        doubted = {"kind": "question", "by": "rule", "model_said": "small_talk"}
        return {"notes": notes}, doubted
    return _small_talk(reply, notes), {"kind": "small_talk", "by": "model"}


def _small_talk(reply: str, notes: list[str]) -> Update:
    return {
        "small_talk": reply,
        "passages": [],
        "draft": Draft(text=reply, answerable=True, model="rule"),
        "notes": [*notes, "This is small talk: no document was looked at."],
    }


def grade(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Set passages aside that do not help; all stay where there is no model to judge them."""
    passages = state["passages"]
    if not passages or models_for(tools, Role.GRADE) is None:
        return {}, {"passages": len(passages), "kept": len(passages), "by": "nobody"}
    text = render(state["query"].question, passages)
    grades, notes = _ask(tools, Role.GRADE, GRADE, text, Grades)
    if grades is None:
        return {"notes": notes}, {"passages": len(passages), "kept": len(passages), "by": "nobody"}
    chosen = set(grades.relevant)
    kept = [each for number, each in enumerate(passages, 1) if number in chosen]
    aside = [each for number, each in enumerate(passages, 1) if number not in chosen]
    update = {"passages": kept, "found": [*state.get("found", []), *aside], "notes": notes}
    return update, {"passages": len(passages), "kept": len(kept), "by": "model"}


def rewrite(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Put the question in other words for another search."""
    question = state["query"].question
    asked = f"Question: {as_data(question)}"
    rewriting, notes = _ask(tools, Role.REWRITE, REWRITE, asked, Rewriting)
    wording = " ".join(visible(rewriting.query).split())[:1000] if rewriting is not None else ""
    return {"wording": wording or question, "notes": notes}, {"wording": wording}


def verify(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Flag each statement of the answer that its citations do not bear out. Those whose figures and
    names their passages lack stay flagged, whatever the judge says, and where none replies.

    An extractive answer is made of quotes, so there is nothing to judge; and of an earlier answer
    that was done when it was given.
    """
    draft, passages = state["draft"], state["passages"]
    judged = draft.model == tools.spare.model or state.get("fallback") == CACHED
    if judged or not draft.answerable:
        return {}, {"statements": 0, "unsupported": 0}
    claims = claims_of(draft.text)
    flagged = [
        Unsupported(start=claim.start, end=claim.end, reason=UNCITED)
        for claim in claims
        if not claim.numbers
    ]
    cited = [claim for claim in claims if claim.numbers]
    notes: list[str] = []
    if cited and models_for(tools, Role.GRADE):
        quoted = {each.number: each.chunk_id for each in draft.citations}
        number_of = {each.chunk_id: number for number, each in enumerate(passages, 1)}
        place = {each: number_of[p.chunk_id] for each, p in by_chunk(passages).items()}
        listed = "\n".join(
            f"{number}. {as_data(claim.text)} (passages "
            f"{', '.join(str(place[quoted[n]]) for n in claim.numbers if n in quoted)})"
            for number, claim in enumerate(cited, 1)
        )
        text = f"{render(state['query'].question, passages)}\n\nStatements:\n{listed}"
        verdicts, notes = _ask(tools, Role.GRADE, VERIFY, text, Verdicts)
        if verdicts is None:
            left = state.get("unsupported", [])
            return {"notes": notes}, {"statements": len(claims), "unsupported": len(left)}
        unjudged = len(set(range(1, len(cited) + 1)) - {e.statement for e in verdicts.verdicts})
        if unjudged:
            notes.append(f"The judge gave no verdict on {unjudged} of {len(cited)} statements.")
        for verdict in verdicts.verdicts:
            if not verdict.supported and 1 <= verdict.statement <= len(cited):
                claim = cited[verdict.statement - 1]
                reason = inactive(verdict.reason).strip() or "Its citations do not bear it out."
                flagged.append(Unsupported(start=claim.start, end=claim.end, reason=reason))
    known = {(each.start, each.end) for each in flagged}
    flagged += [
        each for each in state.get("unsupported", []) if (each.start, each.end) not in known
    ]
    flagged.sort(key=lambda each: each.start)
    return (
        {"unsupported": flagged, "notes": notes},
        {"statements": len(claims), "unsupported": len(flagged)},
    )


def _ask(
    tools: Tools, role: Role, name: str, text: str, schema: type[Any]
) -> tuple[Any | None, list[str]]:
    """A judge's reply, or None with a note where it gives none."""
    from langchain_core.messages import HumanMessage, SystemMessage

    assert tools.models is not None  # noqa: S101 - whoever asks has looked
    tools.checkpoint()
    messages = [SystemMessage(prompt(name)), HumanMessage(text)]
    try:
        return tools.models.structured(role, messages, schema, tools.meter, prompt=name), []
    except BudgetSpent:
        return None, [f"The budget was spent before the step `{name.partition('.')[0]}`."]
    except (ModelUnavailable, ModelRejected) as error:
        logger.warning("graph.judge_failed", prompt=name, code=error.code)
        return None, [f"The step `{name.partition('.')[0]}` was left out: {error.message}"]
