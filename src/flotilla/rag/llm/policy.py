"""The one place that decides on a provider's trouble.

Each request asks the breaker, takes from the limits, and has a deadline. What may pass is tried
again after a pause; what will not, or not soon enough, goes to the next model of the chain.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from flotilla.deadlines import Deadline
from flotilla.errors import FlotillaError, ModelUnavailable
from flotilla.logging import get_logger
from flotilla.models import ModelCall
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.llm.failures import Again, Passed, Trouble, read
from flotilla.rag.llm.limits import Limits
from flotilla.rag.llm.meter import Meter, time_spent
from flotilla.rag.llm.roles import Candidate, Role
from flotilla.rag.llm.thoughts import without_thoughts
from flotilla.rag.llm.usage import Tokens, cost, tokens_of
from flotilla.settings import LLMSettings

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

logger = get_logger(__name__)

PROBE_MARGIN = 5.0
"""Seconds that a probe of the breaker may take beyond its deadline before it is taken for lost."""


@dataclass
class Call:
    """One call of a role: what it sends, and how far it has come.

    `ask` makes one request to a candidate before the deadline; what it raises is judged by
    `failures.read`. `estimate` are the tokens that a request takes, about, the reply included;
    `prompt_estimate` those without it. Of the candidate that is being asked,
    `attempts` counts the requests, `first_token` is the meter's time at which the first piece of
    its stream came, and `partial` the tokens of requests that broke off.
    """

    role: Role
    ask: Callable[[Candidate, Deadline], "AIMessage"]
    prompt: str | None = None
    estimate: int = 0
    prompt_estimate: int = 0
    attempts: int = 0
    first_token: float | None = None
    partial: Tokens = field(default=Tokens(0, 0))


class Policy:
    """Brings calls to a reply, or says why there is none.

    Args:
        settings: deadlines, attempts and pauses.
        breaker: of the fleet.
        limits: of the fleet.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        settings: LLMSettings,
        breaker: Breaker,
        limits: Limits,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._breaker = breaker
        self._limits = limits
        self._sleep = sleep

    def run(self, call: Call, candidates: Sequence[Candidate], meter: Meter) -> "AIMessage":
        """The first candidate's reply, or that of the next where it has none.

        Raises:
            BudgetSpent: the run's time or tokens are used up.
            ModelUnavailable: no candidate replies now; `retry_after` is when one may.
            ModelRejected: the request was refused, by every candidate or for its own sake.
        """
        troubles: list[Trouble] = []
        for candidate in candidates:
            began = meter.now()
            # What the candidates before took is counted with them.
            call.attempts, call.partial, call.first_token = 0, Tokens(0, 0), None
            try:
                reply = self._persist(call, candidate, meter)
            except Trouble as trouble:
                self._count_failed(call, candidate, meter, began, trouble.error.code)
                logger.warning(
                    "model_failed",
                    role=call.role,
                    model=candidate.name,
                    code=trouble.error.code,
                    status=trouble.status,
                    attempts=call.attempts,
                )
                if not trouble.another:
                    raise trouble.error from None
                troubles.append(trouble)
                continue
            except FlotillaError as error:
                self._count_failed(call, candidate, meter, began, error.code)
                raise
            except BaseException:
                meter.spend(call.partial.total)
                raise
            self._count(call, candidate, reply, meter, began, bool(troubles))
            return reply
        raise _summary(troubles) from None

    def _persist(self, call: Call, candidate: Candidate, meter: Meter) -> "AIMessage":
        """The candidate's reply, after as many attempts as are worth it."""
        settings = self._settings
        jitter = wait_random_exponential(multiplier=settings.backoff_base, max=settings.backoff_cap)

        enough = stop_after_attempt(settings.attempts)

        def pause(state: RetryCallState) -> float:
            asked = _trouble(state).error.retry_after
            # Behind what was asked for, so that not all come back in the same moment.
            return jitter(state) if asked is None else asked + jitter(state) / 4

        def too_long(state: RetryCallState) -> bool:
            asked = _trouble(state).error.retry_after or 0.0
            return asked > settings.retry_after_cap or (
                state.upcoming_sleep >= meter.remaining_seconds()
            )

        retrying = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, Trouble) and e.retryable),
            stop=lambda state: enough(state) or too_long(state),
            wait=pause,
            sleep=self._sleep,
            reraise=True,
        )
        return retrying(self._attempt, call, candidate, meter)

    def _attempt(self, call: Call, candidate: Candidate, meter: Meter) -> "AIMessage":
        while True:
            try:
                return self._request(call, candidate, meter)
            except Again:
                continue

    def _request(self, call: Call, candidate: Candidate, meter: Meter) -> "AIMessage":
        """One request, with the breaker's leave and the limits'."""
        meter.check()
        left = meter.remaining_seconds()
        permit = self._breaker.allow(candidate.key, self._settings.timeout + PROBE_MARGIN)
        if not permit.allowed:
            raise Trouble(
                ModelUnavailable(
                    "The language model failed several times in a row and is not asked for a "
                    "while: try again later.",
                    retry_after=permit.wait,
                )
            )
        healthy: bool | None = None
        try:
            self._wait_for_turn(call, candidate, left)
            call.attempts += 1
            reply = self._reply(call, candidate, meter)
            healthy = True
            return reply
        except Trouble as trouble:
            healthy = trouble.healthy
            raise
        finally:
            # In every case, or a probe that was cut short would hold up the fleet.
            self._breaker.record(permit, healthy=healthy)

    def _wait_for_turn(self, call: Call, candidate: Candidate, longest: float) -> None:
        taken, wait = self._limits.take(candidate.provider, call.estimate, longest)
        if not taken:
            raise Trouble(
                ModelUnavailable(
                    "As many requests as are allowed in a minute are on their way to the language "
                    "model: try again later.",
                    retry_after=wait,
                )
            )
        if wait > 0:
            self._sleep(wait)

    def _reply(self, call: Call, candidate: Candidate, meter: Meter) -> "AIMessage":
        from langsmith import tracing_context

        left = meter.remaining_seconds()
        deadline = Deadline(min(left, self._settings.timeout), self._settings.stream_silence)
        used, before = 0, call.partial.total
        try:
            # Users' documents go to the model that they chose and to nobody else.
            with tracing_context(enabled=False), deadline.active():
                reply = without_thoughts(call.ask(candidate, deadline))
            used = tokens_of(reply, call.prompt_estimate).total
            return reply
        except Passed as passed:
            raise passed.original from None
        except (Trouble, Again, FlotillaError) as known:
            raise _in_time(known, meter) from None
        except Exception as error:  # noqa: BLE001 - every provider has exceptions of its own
            # Without the cause: its text may hold the key, and the traceback would be logged.
            raise _in_time(read(error), meter) from None
        finally:
            used += call.partial.total - before
            self._limits.correct(candidate.provider, call.estimate, used)

    def _count_failed(
        self, call: Call, candidate: Candidate, meter: Meter, began: float, code: str
    ) -> None:
        """Record what a candidate took that gave no reply; nothing of one that was not asked."""
        if not call.attempts:
            return
        meter.record(
            ModelCall(
                role=call.role,
                model=candidate.name,
                prompt=call.prompt,
                attempts=call.attempts,
                took=round(1000 * (meter.now() - began), 2),
                prompt_tokens=call.partial.prompt,
                completion_tokens=call.partial.completion,
                cost=cost(candidate.price, call.partial),
                error=code,
            )
        )

    def _count(
        self,
        call: Call,
        candidate: Candidate,
        reply: "AIMessage",
        meter: Meter,
        began: float,
        stands_in: bool,
    ) -> None:
        tokens = tokens_of(reply, call.prompt_estimate)
        tokens = Tokens(
            tokens.prompt + call.partial.prompt, tokens.completion + call.partial.completion
        )
        first = call.first_token
        meter.record(
            ModelCall(
                role=call.role,
                model=candidate.name,
                prompt=call.prompt,
                attempts=max(1, call.attempts),
                took=round(1000 * (meter.now() - began), 2),
                first_token=None if first is None else round(1000 * (first - began), 2),
                prompt_tokens=tokens.prompt,
                completion_tokens=tokens.completion,
                cost=cost(candidate.price, tokens),
            ),
            stands_in=stands_in,
        )


def _trouble(state: RetryCallState) -> Trouble:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Trouble)  # noqa: S101 - nothing else is retried
    return error


def _in_time(error: Exception, meter: Meter) -> Exception:
    """The error, or that the budget is spent, where that is what cut the request short."""
    cut_short = isinstance(error, Trouble) and error.timed_out and meter.remaining_seconds() <= 0
    return time_spent() if cut_short else error


def _summary(troubles: Sequence[Trouble]) -> FlotillaError:
    """What is told of a chain that has failed: what may pass goes before what was refused."""
    passing = [each.error for each in troubles if isinstance(each.error, ModelUnavailable)]
    if not passing:
        return troubles[0].error
    waits = [error.retry_after for error in passing if error.retry_after is not None]
    return ModelUnavailable(passing[0].message, retry_after=min(waits, default=None))
