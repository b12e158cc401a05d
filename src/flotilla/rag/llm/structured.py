"""Objects of a given schema from a model, whatever manner of asking its server knows."""

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from flotilla.deadlines import Deadline, wait_for
from flotilla.rag.llm.failures import Again, read
from flotilla.rag.llm.manners import Manners, is_certain
from flotilla.rag.llm.roles import Candidate
from flotilla.rag.llm.thoughts import without
from flotilla.rag.prompts import JSON, REPAIR, prompt

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.runnables import Runnable

Parsed = TypeVar("Parsed", bound=BaseModel)

METHODS = ("json_schema", "function_calling", "json_mode", "text")
"""Manners of asking for an object, from the strictest to the one that every server knows."""

UNKNOWN = (400, 415, 422, 501)
"""With these, servers answer to an option of a request that they do not know."""

_FENCE = re.compile(r"\A\s*+```[a-zA-Z]*+[ \t\r]*+\n(.*)```\s*+\Z", re.DOTALL)

MOST_BRACES = 100
"""Opening braces of a reply that are tried as the beginning of its object."""

LONGEST_PROBLEMS = 1000
"""Characters of what is wrong with an object that a model is told."""


class NotOfTheForm(Exception):
    """The reply is no object of the schema; the text says why, for the model."""


class Structuring:
    """Asks for objects of one schema.

    Args:
        schema: what they have to be.
        messages: the conversation.
        methods: the manners of asking that may be tried, in order.
        manners: how many of them each candidate's server does not know; it is told what works.
    """

    def __init__(
        self,
        schema: type[BaseModel],
        messages: Sequence["BaseMessage"],
        methods: Sequence[str],
        manners: Manners,
    ) -> None:
        self._schema = schema
        self._messages = list(messages)
        self._methods = methods
        self._manners = manners
        self._tried: dict[str, int] = {}
        self._in_doubt: set[str] = set()

    def ask(self, candidate: Candidate, deadline: Deadline) -> "AIMessage":
        """One request, in the first manner that the candidate's server is not known to lack."""
        key = candidate.key
        number = self._tried[key] if key in self._tried else self._manners.first(key)
        try:
            reply = self._request(candidate, self._methods[number], deadline)
        except Exception as error:  # noqa: BLE001 - every provider has exceptions of its own
            trouble = read(error)
            # A manner that a provider does not have is a ValueError of LangChain's.
            unknown = trouble.status in UNKNOWN or (
                not candidate.bounded and isinstance(error, (ValueError, NotImplementedError))
            )
            if not unknown or number + 1 >= len(self._methods):
                raise trouble from None
            self._tried[key] = number + 1
            if not is_certain(error, trouble.status):
                self._in_doubt.add(key)
            raise Again from None
        # Only now: a request that is refused in every manner says nothing of the server.
        self._manners.worked(key, number, certain=key not in self._in_doubt)
        return reply

    def _request(self, candidate: Candidate, method: str, deadline: Deadline) -> "AIMessage":
        bound = _bound(candidate, self._schema, method)
        messages = _spelt_out(self._messages, self._schema, method)
        if candidate.bounded:
            return _message(bound.invoke(messages))
        return _message(wait_for(lambda: bound.invoke(messages), deadline))


def repair(
    messages: Sequence["BaseMessage"], reply: "AIMessage", problems: str, schema: type[BaseModel]
) -> list["BaseMessage"]:
    """The conversation that asks for the object again."""
    from langchain_core.messages import AIMessage, HumanMessage

    asked = prompt(REPAIR).format(problems=problems, schema=_json_schema(schema))
    said = json.dumps(reply.tool_calls[0]["args"]) if reply.tool_calls else str(reply.text)
    return [*messages, AIMessage(said or "{}"), HumanMessage(asked)]


def parse(reply: "AIMessage", schema: type[Parsed]) -> Parsed:
    """The object of a reply: its tool call's arguments, or the JSON in its text.

    Raises:
        NotOfTheForm: there is none, or it does not fit the schema.
    """
    if reply.tool_calls:
        value: Any = reply.tool_calls[0]["args"]
    elif reply.invalid_tool_calls:
        value = _json_in(reply.invalid_tool_calls[0]["args"] or "")
    else:
        value = _json_in(str(reply.text))
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors()
        )
        raise NotOfTheForm(problems[:LONGEST_PROBLEMS]) from None


def _json_in(text: str) -> Any:
    """The first JSON object in a text, which may stand in a fence or among words."""
    text = without(text)
    if fenced := _FENCE.match(text):
        text = fenced[1]
    decoder = json.JSONDecoder()
    for match in islice(re.finditer(r"\{", text), MOST_BRACES):
        try:
            return decoder.raw_decode(text, match.start())[0]
        except json.JSONDecodeError:
            continue
        except RecursionError:
            break
    raise NotOfTheForm("there is no JSON object in it")


def _bound(
    candidate: Candidate, schema: type[BaseModel], method: str
) -> "Runnable[Any, Any] | BaseChatModel":
    """The model, bound to reply with an object."""
    from langchain_core.utils.function_calling import convert_to_openai_function

    chat = candidate.chat
    if method == "text":
        return chat
    if not candidate.bounded:
        options: dict[str, Any] = {"method": method, "include_raw": True}
        return chat.with_structured_output(schema, **options)
    # Not by `with_structured_output`: it parses inside of the call, and a reply that does not fit
    # is lost for the repair, with the tokens that it took.
    if method == "json_mode":
        return chat.bind(response_format={"type": "json_object"})
    function = convert_to_openai_function(schema, strict=method == "json_schema")
    if method == "function_calling":
        return chat.bind_tools([schema], tool_choice=function["name"])
    function["schema"] = function.pop("parameters")
    return chat.bind(response_format={"type": "json_schema", "json_schema": function})


def _message(reply: Any) -> "AIMessage":
    found: AIMessage = reply["raw"] if isinstance(reply, dict) else reply
    return found


def _spelt_out(
    messages: list["BaseMessage"], schema: type[BaseModel], method: str
) -> list["BaseMessage"]:
    """The conversation, with the schema in words where no option says it."""
    from langchain_core.messages import HumanMessage

    if method not in ("json_mode", "text"):
        return messages
    return [*messages, HumanMessage(prompt(JSON).format(schema=_json_schema(schema)))]


def _json_schema(schema: type[BaseModel]) -> str:
    return json.dumps(schema.model_json_schema(), ensure_ascii=False)
