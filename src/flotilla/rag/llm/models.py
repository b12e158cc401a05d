"""The language models of one process, as everything in the rag fleet calls them."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from flotilla.deadlines import Deadline, wait_for
from flotilla.errors import ConfigurationError, ModelRejected
from flotilla.models import ModelCall
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.llm.chat_models import candidate
from flotilla.rag.llm.fleet_state import FleetState
from flotilla.rag.llm.limits import Limits
from flotilla.rag.llm.manners import Manners
from flotilla.rag.llm.meter import Meter
from flotilla.rag.llm.policy import Call, Policy
from flotilla.rag.llm.roles import Candidate, Role, first_model, is_model
from flotilla.rag.llm.streams import Streaming
from flotilla.rag.llm.structured import METHODS, NotOfTheForm, Structuring, parse, repair
from flotilla.rag.llm.usage import Tokens, cost, estimated, estimated_prompt
from flotilla.settings import AFTER_MODELS, LLMSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

Parsed = TypeVar("Parsed", bound=BaseModel)

INTERRUPTED = "interrupted"
"""What stands for an error's code where the worker was lost, or the run failed, meanwhile."""


class Models:
    """Calls models by role; one instance a process, safe between threads.

    Every call goes through the same policy: deadlines, attempts, the fleet's breaker and limits,
    and the chain of other models. All raise what `Policy.run` raises.

    Args:
        settings: which models there are.
        redis_url: of the Redis in which the fleet shares breakers and limits; None for none.
        sleep: waits for some seconds.

    Raises:
        ConfigurationError: a model cannot be used as it is configured.
    """

    def __init__(
        self,
        settings: LLMSettings,
        redis_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        state = FleetState(redis_url)
        breaker, limits = Breaker(state, settings), Limits(state, settings)
        self._policy = Policy(settings, breaker, limits, sleep)
        self._chains = {role: self._chain(role) for role in Role if self.configured(role)}
        self._manners = Manners()
        self._without_usage: set[str] = set()

    def _chain(self, role: Role) -> list[Candidate]:
        chain = [candidate(self._settings, self.name(role))]
        for name in self._settings.fallbacks:
            if is_model(name):
                other = candidate(self._settings, name, fallback=True)
                if all(other.key != known.key for known in chain):
                    chain.append(other)
        return chain

    def configured(self, role: Role) -> bool:
        """Whether there is a model for the role."""
        return is_model(self.name(role))

    def name(self, role: Role) -> str:
        """The model string of the model that a role's calls go to first."""
        return first_model(self._settings, role)

    def after_models(self) -> tuple[str, ...]:
        """What stands in where every model of the chain has failed, in this order: `cached` and
        `extractive`, one of them, or nothing."""
        return tuple(entry for entry in self._settings.fallbacks if entry in AFTER_MODELS)

    def complete(
        self,
        role: Role,
        messages: Sequence["BaseMessage"],
        meter: Meter,
        *,
        prompt: str | None = None,
    ) -> "AIMessage":
        """The reply to a conversation, without a reasoning model's thoughts.

        `prompt` names the prompt's file in the trace.
        """

        def ask(asked: Candidate, deadline: Deadline) -> "AIMessage":
            if asked.bounded:
                return asked.chat.invoke(list(messages))
            return wait_for(lambda: asked.chat.invoke(list(messages)), deadline)

        return self._policy.run(self._call(role, ask, messages, prompt), self._of(role), meter)

    def structured(
        self,
        role: Role,
        messages: Sequence["BaseMessage"],
        schema: type[Parsed],
        meter: Meter,
        *,
        prompt: str | None = None,
    ) -> Parsed:
        """An object of the schema. A reply that is none is sent back once, to be put right.

        Raises:
            ModelRejected: that is none either.
        """
        setting = self._settings.structured
        methods = METHODS if setting == "auto" else (setting,)
        conversation = list(messages)
        for _ in range(2):
            asking = Structuring(schema, conversation, methods, self._manners)
            call = self._call(role, asking.ask, conversation, prompt)
            reply = self._policy.run(call, self._of(role), meter)
            try:
                return parse(reply, schema)
            except NotOfTheForm as error:
                conversation = repair(messages, reply, str(error), schema)
        raise ModelRejected(
            f"The language model did not reply in the form that was asked for, twice, as "
            f"{schema.__name__}: try again, or use another model for the role {role}."
        )

    def stream(
        self,
        role: Role,
        messages: Sequence["BaseMessage"],
        meter: Meter,
        on_text: Callable[[str], None],
        *,
        prompt: str | None = None,
        so_far: str = "",
    ) -> "AIMessage":
        """The reply to a conversation, whose text is handed on as it comes.

        Where a request breaks off, the next one goes on where it stopped: `on_text` gets every
        piece once. What it raises ends the call and is raised. `so_far` is the text that was
        handed on before, by a run that ended; the reply's text begins with it.
        """
        streaming = Streaming(messages, on_text, meter, so_far, self._without_usage)
        call = self._call(role, streaming.ask, messages, prompt)
        streaming.call = call
        return self._policy.run(call, self._of(role), meter)

    def interrupted(
        self, role: Role, messages: Sequence["BaseMessage"], so_far: str, *, prompt: str | None
    ) -> ModelCall:
        """The call of a run that ended in the middle of a streamed reply, after `so_far`:
        its tokens are estimated, and it is taken for one of the role's first model."""
        tokens = Tokens(estimated_prompt(messages), estimated(so_far))
        return ModelCall(
            role=role,
            model=self.name(role),
            prompt=prompt,
            took=0.0,
            prompt_tokens=tokens.prompt,
            completion_tokens=tokens.completion,
            cost=cost(self._of(role)[0].price, tokens),
            error=INTERRUPTED,
        )

    def run(
        self,
        role: Role,
        meter: Meter,
        call: Callable[["BaseChatModel"], "AIMessage"],
        *,
        prompt: str | None = None,
        estimate: int = 0,
    ) -> "AIMessage":
        """The reply that `call` gets from the chat model it is given; it is called once an
        attempt. `estimate` are the tokens that a request takes, about."""

        def ask(asked: Candidate, deadline: Deadline) -> "AIMessage":
            if asked.bounded:
                return call(asked.chat)
            return wait_for(lambda: call(asked.chat), deadline)

        made = Call(role, ask, prompt, estimate=estimate, prompt_estimate=estimate)
        return self._policy.run(made, self._of(role), meter)

    def _call(
        self,
        role: Role,
        ask: "Callable[[Candidate, Deadline], AIMessage]",
        messages: Sequence["BaseMessage"],
        prompt: str | None,
    ) -> Call:
        sent = estimated_prompt(messages)
        # Providers count the reply's longest length against the limit, too.
        whole = sent + self._settings.max_tokens
        return Call(role, ask, prompt, estimate=whole, prompt_estimate=sent)

    def _of(self, role: Role) -> list[Candidate]:
        if role not in self._chains:
            raise ConfigurationError(
                f"There is no language model for the role {role}: set LLM_MODEL, such as "
                "LLM_MODEL=openai:gpt-4o-mini."
            )
        return self._chains[role]
