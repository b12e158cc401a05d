"""Asks questions all the while: each must be answered, and from the one version that is live."""

import math
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flotilla.client import Flotilla
from flotilla.client.errors import ClientError, FlotillaAPIError, GatewayUnreachable
from tests.chaos.documents import Planned
from tests.chaos.submission import Refused, persevere
from tests.chaos.troubles import HALTED, Troubles

PASSAGES = 30  # more than any of the documents has, so that a second version would be seen

UNAVAILABLE = 503
REFUSED = 400  # for what has no status of its own and no excuse


@dataclass
class Question:
    """A question about one document, and what became of it.

    Args:
        planned: the document that it is about, and the only one that is looked into.
        place: which of its sentences is asked for.
        known: the newest version of it that was known to be completed when this was asked.
        began: when it was asked, and `ended`: when the request was over, by the monotonic clock.
        task_id: under which the answer is found, where the request did not bring it.
        answer: as the API gives it; None as long as there is none.
        status: the HTTP status of a request that was refused.
        trouble: why the request brought neither an answer nor a task.
    """

    planned: Planned
    place: int
    known: Planned | None
    began: float = 0.0
    ended: float = math.inf
    task_id: str | None = None
    answer: dict[str, Any] | None = None
    status: int | None = None
    trouble: str | None = None

    @property
    def text(self) -> str:
        """What is asked."""
        return self.planned.markers[self.place]

    def excused(self, troubles: Troubles) -> bool:
        """Whether it is no fault that there is neither an answer nor a task: the gateway was ended,
        or something without which it cannot take a question was away."""
        if self.trouble is None or (self.status is not None and self.status != UNAVAILABLE):
            return False
        away = (HALTED, "gateway") if self.status is None else (HALTED, "gateway", "redis")
        return troubles.excuse(self.began, self.ended, *away)

    def fault(self) -> str | None:
        """What is wrong with the answer: it has to be from one version, and not from one that had
        been replaced when this was asked."""
        assert self.answer is not None
        passages = self.answer["passages"]
        texts = [passage["text"] for passage in passages]
        states = [state for state in (self.planned, self.planned.successor) if state is not None]
        found = [s for s in states if any(s.words[self.place] in text for text in texts)]
        versions = {passage["version_id"] for passage in passages}
        name = f"{self.planned.name}: {self.text!r}"
        if len(versions) > 1 or len(found) > 1:
            words = [state.words[self.place] for state in found]
            return f"{name} was answered from {len(versions)} versions at once, with {words}"
        if passages and not found:
            return f"{name} was answered from a version without its own sentence"
        if self.known is not None and not passages:
            return f"{name} was answered from nothing, though its document is completed"
        if (
            passages
            and self.known is not None
            and states.index(self.known) > states.index(found[0])
        ):
            return f"{name} was answered from a version that had been replaced"
        # Which of a document's two sentences is nearest is the ranking's business.
        own = [word for state in found for word in state.words]
        if passages and not any(word in self.answer["text"] for word in own):
            return f"{name} was answered with {self.answer['text'][:200]!r}"
        return None


@dataclass
class Questioner:
    """Two threads: one asks and waits, the other asks for a task id.

    Half of the questions are about documents that are completed, as far as there are any.

    Args:
        url: of the gateway.
        collection: where to look.
        plan: whose markers are asked for.
        completed: the newest version of such a document that is known to be completed.
        seed: of which document is asked about when.
        pause: seconds between two questions of a thread.
    """

    url: str
    collection: str
    plan: Sequence[Planned]
    completed: Callable[[Planned], Planned | None]
    seed: int = 0
    pause: float = 0.3
    posed: list[Question] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What went wrong with the threads themselves."""

    def __post_init__(self) -> None:
        self._client = Flotilla(self.url, timeout=30.0, retries=0)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._pose, args=(name, ask), daemon=True)
            for name, ask in (("waits", self._wait_for), ("polls", self._poll_for))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Ask nothing more."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=90)
            if thread.is_alive():
                self.broken.append("a question's request never came to its end")
        self._client.close()

    def _pose(self, name: str, ask: Callable[[Question], None]) -> None:
        """A thread: whatever comes of one question, it goes on with the next one."""
        try:
            for question in self._turn(name):
                self._pose_one(question, ask)
        except Exception as error:  # noqa: BLE001 - a thread that ends unseen asks no more
            self.broken.append(f"no more questions were asked by the thread that {name}: {error!r}")

    def _pose_one(self, question: Question, ask: Callable[[Question], None]) -> None:
        try:
            ask(question)
        except FlotillaAPIError as error:
            question.task_id, question.status = error.task_id, error.status
            question.trouble = f"{error.status} {error.code}: {error.message}"
        except Refused as error:
            question.status, question.trouble = REFUSED, str(error)
        except ClientError as error:
            question.trouble = error.message
            if not isinstance(error, GatewayUnreachable):
                question.status = REFUSED
        except Exception as error:  # noqa: BLE001 - it is a fault of whoever it comes from
            question.status, question.trouble = REFUSED, repr(error)
        question.ended = time.monotonic()

    def _wait_for(self, question: Question) -> None:
        answer = self._client.ask(question.text, timeout=20, **self._where(question))
        question.answer = answer.model_dump(mode="json")

    def _poll_for(self, question: Question) -> None:
        accepted = persevere(
            lambda: self._client.ask_async(question.text, **self._where(question)), patience=30
        )
        question.task_id = accepted.task_id

    def _where(self, question: Question) -> dict[str, Any]:
        return {
            "collections": [self.collection],
            "filter": {"number": question.planned.number},
            "top_k": PASSAGES,
        }

    def _turn(self, name: str) -> Iterator[Question]:
        dice = random.Random(f"{name} {self.seed}")
        while not self._stop.wait(self.pause):
            known = [planned for planned in self.plan if self.completed(planned) is not None]
            planned = dice.choice(known if known and dice.random() < 0.5 else self.plan)
            place = dice.randrange(len(planned.markers))
            question = Question(planned, place, self.completed(planned), time.monotonic())
            self.posed.append(question)
            yield question
