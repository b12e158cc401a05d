"""Replies and embeddings in the form in which OpenAI's API sends them."""

import base64
import hashlib
import json
import re
import time
from array import array
from collections.abc import Iterator
from typing import Any

from tests.doubles.openai_replies import Reply, Request, content_of

DIMENSIONS = 64
"""Of an embedding when the request does not say."""


def message_of(reply: Reply, request: Request) -> tuple[dict[str, Any], str]:
    """The assistant's message, and why it ended."""
    content, reason = reply.content, reply.finish_reason
    tool_calls = [(call.name, dict(call.arguments)) for call in reply.tool_calls]
    if reply.structured is not None:
        if request.forced_tool is not None:
            tool_calls.append((request.forced_tool, dict(reply.structured)))
        else:
            content = json.dumps(reply.structured)
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if tool_calls:
        reason = "tool_calls"
        message["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(tool_calls)
        ]
    return message, reason


def usage_of(reply: Reply, request: Request) -> dict[str, int]:
    """The tokens of prompt and completion."""
    if reply.usage is not None:
        prompt, completion = reply.usage
    else:
        asked = sum(len(content_of(message)) for message in request.messages)
        message, _ = message_of(reply, request)
        said = len(message["content"] or "") + len(json.dumps(message.get("tool_calls", "")))
        prompt, completion = max(1, asked // 4), max(1, said // 4)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def completion(reply: Reply, request: Request, with_usage: bool) -> bytes:
    """A whole completion."""
    message, reason = message_of(reply, request)
    sent = _frame("chat.completion", request) | {
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
    }
    if with_usage:
        sent["usage"] = usage_of(reply, request)
    return json.dumps(sent).encode()


def text_chunks(reply: Reply, request: Request) -> list[str]:
    """The pieces of text in which a stream sends the message."""
    if reply.chunks is not None:
        return list(reply.chunks)
    message, _ = message_of(reply, request)
    return re.findall(r"\s*\S+|\s+\Z", message["content"] or "")


def text_event(chunk: str, request: Request, first: bool) -> bytes:
    """A piece of the message."""
    delta = {"content": chunk} | ({"role": "assistant"} if first else {})
    return _chunk(request, delta, None)


def closing_events(reply: Reply, request: Request, with_usage: bool) -> Iterator[bytes]:
    """What follows the text: tool calls, the reason of the end, usage where it was asked for."""
    message, reason = message_of(reply, request)
    for index, call in enumerate(message.get("tool_calls", ())):
        function, whole = call["function"], call["function"]["arguments"]
        head = {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
        yield _chunk(request, {"tool_calls": [head]}, None)
        middle = len(whole) // 2
        for part in filter(None, (whole[:middle], whole[middle:])):
            rest = {"index": index, "function": {"arguments": part}}
            yield _chunk(request, {"tool_calls": [rest]}, None)
    yield _chunk(request, {}, reason)
    if with_usage and (request.body.get("stream_options") or {}).get("include_usage"):
        frame = _frame("chat.completion.chunk", request)
        yield event(frame | {"choices": [], "usage": usage_of(reply, request)})
    yield b"data: [DONE]\n\n"


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def embeddings(request: Request) -> bytes:
    """Vectors of length 1, which are near each other where two texts share words."""
    given = request.body["input"]
    texts = (
        [given] if isinstance(given, str) or (given[:1] and isinstance(given[0], int)) else given
    )
    size = int(request.body.get("dimensions") or DIMENSIONS)
    packed = request.body.get("encoding_format") == "base64"
    data = []
    for index, given_text in enumerate(texts):
        vector = _vector(given_text, size)
        shown: Any = list(vector)
        if packed:
            shown = base64.b64encode(vector.tobytes()).decode()
        data.append({"object": "embedding", "index": index, "embedding": shown})
    tokens = sum(max(1, len(each) // (4 if isinstance(each, str) else 1)) for each in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    sent = {"object": "list", "data": data, "model": request.model, "usage": usage}
    return json.dumps(sent).encode()


def _vector(given: str | list[int], size: int) -> "array[float]":
    words = re.findall(r"\w+", given.casefold()) if isinstance(given, str) else map(str, given)
    vector = [0.0] * size
    for word in words:
        digest = hashlib.sha256(word.encode()).digest()
        for place in range(0, 8, 2):
            sign = 1.0 if digest[place + 1] % 2 else -1.0
            vector[(digest[place] * 256 + digest[place + 8]) % size] += sign
    length = sum(value * value for value in vector) ** 0.5
    if not length:
        vector[0] = length = 1.0
    return array("f", (value / length for value in vector))


def _frame(kind: str, request: Request) -> dict[str, Any]:
    return {
        "id": "chatcmpl-double",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
    }


def _chunk(request: Request, delta: dict[str, Any], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return event(_frame("chat.completion.chunk", request) | {"choices": [choice]})
