"""The node of `react`, after Yao et al. 2022 (arXiv:2210.03629, "ReAct: Synergizing Reasoning and
Acting in Language Models"): an agent looks for evidence with tools.

The agent does not write the answer: it says which passages bear it. So an answer of `react` is
written, cited, verified and streamed by the same steps as every other.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from flotilla.errors import BudgetSpent, ModelRejected, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import Passage, Query
from flotilla.rag.graphs.research_tools import (
    STEP,
    finding_of,
    numbered,
    shown,
    steps_of,
    tools_for,
)
from flotilla.rag.graphs.stand_ins import has_stand_in
from flotilla.rag.graphs.state import State, Tools
from flotilla.rag.graphs.steps import Update, step_since
from flotilla.rag.llm.roles import Role
from flotilla.rag.prompts import prompt
from flotilla.rag.untrusted import as_data, visible

logger = get_logger(__name__)

RESEARCH = "research.v1"

THINK = "think"
"""The step of one call of the agent's model, in the trace."""

STOPPED = "stopped"
"""What a message's metadata holds the reason under for which it ended the work."""

ENOUGH = "No more calls are possible: reply with the numbers of the passages now, or with NONE."

CUT_SHORT = "The search was cut short: the answer is written from what had been found until then."

FROM_WEB = "A part of this is from pages of the web."

NO_WEB = "The web was not searched: {why}"

MOST_AT_ONCE = 5
"""Calls of tools that one message may ask for."""

MOST_UNCHOSEN = 10
"""Passages that an answer is written from where the agent has not come to choose among them."""

_NUMBERS = re.compile(r"\[\s*(\d{1,4}(?:\s*,\s*\d{1,4})*)\s*\]")


class ResearchState(AgentState[Any]):
    """An agent's conversation, and the question that it is about."""

    query: Query


class _FleetsModels(AgentMiddleware[ResearchState, Tools]):
    """Has the agent's calls made by the fleet's models, under the run's budget.

    Args:
        most_calls: of the model in one run; the last is made without tools.
    """

    state_schema = ResearchState

    def __init__(self, most_calls: int) -> None:
        super().__init__()
        self._most_calls = most_calls

    def wrap_model_call(
        self,
        request: ModelRequest[Tools],
        handler: Callable[[ModelRequest[Tools]], ModelResponse[Any]],
    ) -> AIMessage:
        """The model's next message: calls of tools, or the passages that it has chosen.

        Where the budget is spent, the model refuses the request, or none answers and something may
        stand in for it, the message is empty, which ends the agent's work with what it has found.
        """
        run = request.runtime.context
        messages = [SystemMessage(prompt(RESEARCH)), *numbered(request.messages)]
        last = len(_replies(request.messages)) + 1 >= self._most_calls
        if last:
            messages.append(HumanMessage(ENOUGH))

        def call(chat: BaseChatModel) -> AIMessage:
            asked = chat if last else chat.bind_tools(request.tools)
            return asked.invoke(messages)

        began, calls = run.clock(), len(run.meter.calls)
        stopped = None
        try:
            run.checkpoint()
            assert run.models is not None  # noqa: S101 - there is no agent without one
            reply = run.models.run(
                Role.ANSWER, run.meter, call, prompt=RESEARCH, estimate=_tokens(messages)
            )
        except (BudgetSpent, ModelRejected, ModelUnavailable) as error:
            if isinstance(error, ModelUnavailable) and not has_stand_in(run):
                raise
            logger.warning("research.stopped", code=error.code)
            reply, stopped = AIMessage(""), error.message
        reply = _sendable(reply)
        asked_for = [] if last else reply.tool_calls[:MOST_AT_ONCE]
        saw = {"calls": [each["name"] for each in asked_for]}
        step = step_since(run, THINK, began, calls, saw | ({STOPPED: stopped} if stopped else {}))
        run.told.complete(steps_of(request.messages))
        run.told.tell(step)
        return reply.model_copy(
            update={
                "tool_calls": asked_for,
                "response_metadata": {STEP: step.model_dump(mode="json"), STOPPED: stopped},
            }
        )


def _why_nothing_was_searched(messages: Sequence[BaseMessage]) -> str:
    tried = any(reply.tool_calls or reply.invalid_tool_calls for reply in _replies(messages))
    return "none of its calls of tools could be carried out." if tried else "it called no tool."


def _replies(messages: Sequence[BaseMessage]) -> list[AIMessage]:
    return [message for message in messages if isinstance(message, AIMessage)]


def _sendable(reply: AIMessage) -> AIMessage:
    """A message without what no encoding has: the next call of the model sends it back."""
    calls = visible(json.dumps(reply.tool_calls, ensure_ascii=False))
    content = visible(reply.content) if isinstance(reply.content, str) else reply.content
    return reply.model_copy(update={"content": content, "tool_calls": json.loads(calls)})


def _tokens(messages: Sequence[BaseMessage]) -> int:
    """About how many tokens a request has."""
    return sum(len(str(message.text)) for message in messages) // 4


@lru_cache
def _agent(most_calls: int, *, pages: bool, web: bool) -> Any:
    return create_agent(
        # Never asked: the middleware calls the fleet's models in its place.
        model=FakeListChatModel(responses=[""]),
        tools=tools_for(pages=pages, web=web),
        middleware=[_FleetsModels(most_calls)],
        context_schema=Tools,
    )


def research(state: State, tools: Tools) -> tuple[Update, dict[str, Any]]:
    """Have an agent look for the passages from which the question can be answered.

    A model that takes no tools is no reason to fail: the documents are searched once then, as they
    are wherever the agent has not searched.
    """
    query = state["query"]
    agent = _agent(
        tools.agent_calls,
        pages=tools.read_page is not None,
        web=tools.search_web is not None,
    )
    given = {
        "messages": [HumanMessage(as_data(query.question))],
        "query": query,
    }
    limit = {"recursion_limit": 4 * tools.agent_calls + 10}
    messages = agent.invoke(given, limit, context=tools)["messages"]
    found = shown(messages)
    stopped = messages[-1].response_metadata[STOPPED]
    searches = sum(finding_of(message) is not None for message in messages)
    steps = steps_of(messages)
    if not searches or (stopped and not found):
        update, saw = _searched_once(query, tools, stopped or _why_nothing_was_searched(messages))
        return update | {"steps": steps}, saw
    chosen = _chosen(messages[-1], found)
    update = {
        **tools.within(chosen),
        "found": [each for each in found if each not in chosen],
        "searches": searches,
        "steps": steps,
    }
    update["notes"] = [CUT_SHORT] if stopped else []
    if any(each.url for each in chosen):
        update["notes"].append(FROM_WEB)
    away = [s.saw["told"] for s in steps if s.name == "search_web" and s.saw.get("away")]
    update["notes"] += [NO_WEB.format(why=why) for why in dict.fromkeys(away)]
    turns = len(_replies(messages))
    return update, {"turns": turns, "found": len(found), "chosen": len(chosen)}


def _searched_once(query: Query, tools: Tools, why: str) -> tuple[Update, dict[str, Any]]:
    found = tools.retrieve(query)
    update: Update = {
        **tools.within(found),
        "searches": 1,
        "notes": [f"The agent did not search, so the documents were searched once: {why}"],
    }
    return update, {"found": len(found)}


def _chosen(last: BaseMessage, found: Sequence[Passage]) -> list[Passage]:
    """The passages that the agent names at its end, in its order; the first of all where it names
    none, and has not said that none bears on the question."""
    text = str(last.text)
    listed = [int(n) for match in _NUMBERS.findall(text) for n in re.findall(r"\d+", match)]
    numbers = [number for number in dict.fromkeys(listed) if 1 <= number <= len(found)]
    if numbers:
        return [found[number - 1] for number in numbers]
    return [] if "NONE" in text else list(found[:MOST_UNCHOSEN])
