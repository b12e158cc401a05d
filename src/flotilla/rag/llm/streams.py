"""Streamed replies: what was handed on is neither repeated nor lost, whatever breaks off."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from flotilla.deadlines import Deadline, pieces
from flotilla.rag.llm.continuation import Continuation
from flotilla.rag.llm.failures import Again, Passed, Trouble, broken_off, read
from flotilla.rag.llm.meter import Meter
from flotilla.rag.llm.policy import Call
from flotilla.rag.llm.roles import Candidate
from flotilla.rag.llm.thoughts import ThoughtFilter
from flotilla.rag.llm.usage import Tokens, estimated, estimated_prompt
from flotilla.rag.prompts import CONTINUE, prompt

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

REFUSED = (400, 422)
"""With these, servers refuse an option that they do not know."""


class Streaming:
    """One streamed reply over as many requests as it takes.

    Args:
        messages: the conversation.
        on_text: takes each new piece of text.
        meter: tells the time of the first piece.
        so_far: the beginning of the reply, which was handed on before.
        without_usage: candidates' keys whose servers refuse to be asked for usage; it is added to.
    """

    def __init__(
        self,
        messages: Sequence["BaseMessage"],
        on_text: Callable[[str], None],
        meter: Meter,
        so_far: str,
        without_usage: set[str],
    ) -> None:
        self._messages = list(messages)
        self._on_text = on_text
        self._meter = meter
        self._written = so_far
        self._without_usage = without_usage
        self.call: Call | None = None

    def ask(self, candidate: Candidate, deadline: Deadline) -> "AIMessage":
        """One request, which goes on where the one before broke off."""
        messages = self._request()
        begun = len(self._written) if len(messages) > len(self._messages) else 0
        thoughts = ThoughtFilter(goes_on=begun > 0)
        continuation = Continuation(
            self._written, lambda: " ".join(str(message.text) for message in self._messages)
        )
        received: list[AIMessageChunk] = []
        whole = False
        try:
            # Closed at once, and the connection with it, should the reader be gone.
            with closing(self._chunks(candidate, messages, deadline)) as chunks:
                for chunk in chunks:
                    deadline.heard()
                    received.append(chunk)
                    self._emit(continuation.feed(thoughts.feed(str(chunk.text))))
            self._emit(continuation.feed(thoughts.finish()))
            self._emit(continuation.finish())
            whole = True
        except Exception as error:
            trouble = error if isinstance(error, Trouble) else None
            if isinstance(error, TimeoutError):
                trouble = read(error)
            if trouble is None or not (trouble.timed_out and deadline.steady):
                raise
            # A server that is slow but keeps sending is well; the breaker is for others.
            trouble.healthy = True
            raise trouble from None
        finally:
            if not whole and received:
                self._count_partial(messages, received)
        return self._reply(candidate, messages, received)

    def _request(self) -> list["BaseMessage"]:
        from langchain_core.messages import AIMessage, HumanMessage

        if not self._written.strip():
            return self._messages
        return [*self._messages, AIMessage(self._written), HumanMessage(prompt(CONTINUE))]

    def _chunks(
        self, candidate: Candidate, messages: list["BaseMessage"], deadline: Deadline
    ) -> Generator["AIMessageChunk"]:
        if not candidate.bounded:
            yield from pieces(lambda: candidate.chat.stream(messages), deadline)
            return
        asks_usage = candidate.key not in self._without_usage
        try:
            yield from candidate.chat.stream(messages, stream_usage=asks_usage)
        except Exception as error:  # noqa: BLE001 - every provider has exceptions of its own
            trouble = read(error)
            if asks_usage and trouble.status in REFUSED:
                self._without_usage.add(candidate.key)
                raise Again from None
            raise trouble from None

    def _emit(self, text: str) -> None:
        if not text:
            return
        if self.call is not None and self.call.first_token is None:
            self.call.first_token = self._meter.now()
        try:
            self._on_text(text)
        except BaseException as error:  # noqa: BLE001 - raised again by the policy
            raise Passed(error) from None
        self._written += text

    def _count_partial(
        self,
        messages: list["BaseMessage"],
        received: list["AIMessageChunk"],
    ) -> None:
        tokens = Tokens(estimated_prompt(messages), sum(estimated(str(c.text)) for c in received))
        if self.call is not None:
            before = self.call.partial
            self.call.partial = Tokens(
                before.prompt + tokens.prompt, before.completion + tokens.completion
            )

    def _reply(
        self,
        candidate: Candidate,
        messages: list["BaseMessage"],
        received: list["AIMessageChunk"],
    ) -> "AIMessage":
        from langchain_core.messages import AIMessage
        from langchain_core.messages.ai import UsageMetadata, add_ai_message_chunks

        joined = add_ai_message_chunks(received[0], *received[1:])
        # The connection may be closed as if the reply were whole; servers say when it is.
        if candidate.bounded and not joined.response_metadata.get("finish_reason"):
            raise broken_off()
        usage = joined.usage_metadata
        if usage is None or not usage["input_tokens"] + usage["output_tokens"]:
            sent = estimated_prompt(messages)
            said = sum(estimated(str(chunk.text)) for chunk in received)
            usage = UsageMetadata(input_tokens=sent, output_tokens=said, total_tokens=sent + said)
        fields: dict[str, Any] = {"response_metadata": joined.response_metadata}
        return AIMessage(self._written, id=joined.id, usage_metadata=usage, **fields)
