"""What the double of an OpenAI server answers with, and how tests write it down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asks for, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """One reply.

    `content` is the message of a completion; with `body`, those bytes are sent instead. With
    `structured`, the reply is that object in the form that was asked for: the arguments of the
    tool that had to be called, or JSON as text. `tool_calls` are what the model asks for.

    Times are in seconds: `delay` before the first byte, `pause` between the chunks of a stream,
    `dribble` between the single bytes of the whole reply, its head included.

    A stream is sent a word a chunk, or as `chunks` says. `cut` closes the connection in the middle
    of the reply, `cut_after` after so many chunks of text; after `stall_after` of them nothing
    more comes, after `error_after` an event that tells of an error, and after `end_after` the reply
    ends as if it were whole, but without its last events. `usage` are the tokens of
    prompt and completion, counted at four characters each when it is not given.
    """

    content: str | None = None
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    finish_reason: str = "stop"
    structured: Mapping[str, Any] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    pause: float = 0.0
    dribble: float = 0.0
    chunks: tuple[str, ...] | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    error_after: int | None = None
    end_after: int | None = None
    usage: tuple[int, int] | None = None

    @classmethod
    def of_json(cls, given: Mapping[str, Any]) -> Self:
        """A reply of a script file: this class's fields, `body` as text."""
        fields = dict(given)
        if "tool_calls" in fields:
            fields["tool_calls"] = tuple(ToolCall(**call) for call in fields["tool_calls"])
        for name in ("chunks", "usage"):
            if fields.get(name) is not None:
                fields[name] = tuple(fields[name])
        if isinstance(fields.get("body"), str):
            fields["body"] = fields["body"].encode()
        return cls(**fields)


def text(content: str, finish_reason: str = "stop") -> Reply:
    """A completion."""
    return Reply(content, finish_reason=finish_reason)


def chunked(*chunks: str, **fields: Any) -> Reply:
    """A completion whose stream has just these chunks."""
    return Reply("".join(chunks), chunks=chunks, **fields)


def structured(value: Mapping[str, Any], **fields: Any) -> Reply:
    """An object, in the form that was asked for."""
    return Reply(structured=value, **fields)


def calls(*tool_calls: ToolCall | tuple[str, Mapping[str, Any]], content: str = "") -> Reply:
    """The model asks for tools: `calls(("search", {"question": "…"}))`."""
    asked = tuple(c if isinstance(c, ToolCall) else ToolCall(*c) for c in tool_calls)
    return Reply(content, tool_calls=asked, finish_reason="tool_calls")


def error(status: int, message: str = "refused", code: str | None = None, **headers: str) -> Reply:
    """An error in OpenAI's form; an underscore in a header's name stands for a hyphen."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=json.dumps(body).encode(), headers=named)


def rate_limited(retry_after: float | str | None = None) -> Reply:
    """429, with a Retry-After header when one is given."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return error(429, "Too many requests", "rate_limit_exceeded", **headers)


def slow(seconds: float, content: str = "late") -> Reply:
    """A completion whose first byte is late."""
    return Reply(content, delay=seconds)


def malformed(body: bytes = b"<html>A page of a proxy</html>") -> Reply:
    """200 with something that is not a completion."""
    return Reply(body=body, headers={"Content-Type": "text/html"})


def cut() -> Reply:
    """A connection that is closed in the middle of the reply."""
    return Reply("half of this is", cut=True)


@dataclass(frozen=True)
class Request:
    """What a client sent; the headers' names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        return list(self.body["messages"])

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body.get("model", "double"))

    @property
    def streams(self) -> bool:
        """Whether the reply is wanted as a stream."""
        return bool(self.body.get("stream"))

    @property
    def last(self) -> str:
        """The text of the newest message."""
        return content_of(self.messages[-1])

    @property
    def system(self) -> str:
        """The texts of the system's messages."""
        roles = ("system", "developer")
        return "\n".join(content_of(m) for m in self.messages if m["role"] in roles)

    @property
    def partial(self) -> str | None:
        """The answer so far that the model is asked to go on with, or None.

        It is the newest message, or stands before a user's message that asks for the rest.
        """
        roles = [message["role"] for message in self.messages]
        if roles[-1:] == ["assistant"]:
            return content_of(self.messages[-1])
        if roles[-2:] == ["assistant", "user"] and "continue" in self.last.casefold():
            return content_of(self.messages[-2])
        return None

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of the object that is asked for, or None."""
        wanted = self.body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            return dict(wanted["json_schema"]["schema"])
        forced = self.forced_tool
        for tool in self.body.get("tools") or ():
            if tool["function"]["name"] == forced:
                return dict(tool["function"]["parameters"])
        return None

    @property
    def forced_tool(self) -> str | None:
        """The tool that the model has to call, or None."""
        choice = self.body.get("tool_choice")
        if isinstance(choice, dict):
            return str(choice["function"]["name"])
        tools: Sequence[dict[str, Any]] = self.body.get("tools") or ()
        return str(tools[0]["function"]["name"]) if choice == "required" and tools else None

    @property
    def features(self) -> set[str]:
        """What a simpler server may lack: `json_schema`, `json_object`, `tools`,
        `stream_options`."""
        wanted = (self.body.get("response_format") or {}).get("type")
        found = {wanted} if wanted in ("json_schema", "json_object") else set()
        return found | {name for name in ("tools", "stream_options") if self.body.get(name)}


def content_of(message: Mapping[str, Any]) -> str:
    """A message's text, its parts joined."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
