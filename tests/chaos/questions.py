"""Asks questions all the while: each must be answered, and from the one version that is live."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flotilla.client import Flotilla
from flotilla.client.errors import ClientError, FlotillaAPIError
from tests.chaos.documents import Planned
from tests.chaos.submission import Refused, persevere

PASSAGES = 30  # more than any of the documents has, so that a second version would be seen


@dataclass
class Question:
    """A question about one document, and its answer.

    Args:
        planned: the document that it is about, and the only one that is looked into.
        place: which of its sentences is asked for.
        known: whether it was known, when this was asked, that a version of it was completed.
        task_id: under which the answer is found, where it was not waited for.
        answer: as the API gives it; None as long as there is none.
    """

    planned: Planned
    place: int
    known: bool
    task_id: str | None = None
    answer: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """What is asked."""
        return self.planned.markers[self.place]

    def fault(self) -> str | None:
        """What is wrong with the answer: it has to be from one version, the old or the new."""
        assert self.answer is not None
        passages = self.answer["passages"]
        texts = [passage["text"] for passage in passages]
        states = [self.planned, self.planned.successor]
        words = [state.words[self.place] for state in states if state is not None]
        found = [word for word in words if any(word in text for text in texts)]
        versions = {passage["version_id"] for passage in passages}
        name = f"{self.planned.name}: {self.text!r}"
        if len(versions) > 1 or len(found) > 1:
            return f"{name} was answered from {len(versions)} versions at once, with {found}"
        if passages and not found:
            return f"{name} was answered from a version without its own sentence"
        if self.known and not passages:
            return f"{name} was answered from nothing, though its document is completed"
        # Which of a document's two sentences is nearest is the ranking's business.
        own = [word for state in states if state is not None for word in state.words]
        if passages and not any(word in self.answer["text"] for word in own):
            return f"{name} was answered with {self.answer['text'][:200]!r}"
        return None


@dataclass
class Asked:
    """What became of the questions that were asked and waited for."""

    asked: int = 0
    answered: int = 0
    told_why: int = 0
    """Ended with a problem document, such as 504 with the id of the task that goes on."""
    broken: int = 0
    """The connection broke off, as it does when the gateway is killed."""


@dataclass
class Questioner:
    """Two threads: one asks and waits, the other asks for a task id.

    Half of the questions are about documents that are completed, as far as there are any.

    Args:
        url: of the gateway.
        collection: where to look.
        plan: whose markers are asked for.
        completed: tells whether a version of such a document is known to be completed.
        seed: of which document is asked about when.
        pause: seconds between two questions of a thread.
    """

    url: str
    collection: str
    plan: Sequence[Planned]
    completed: Callable[[Planned], bool]
    seed: int = 0
    pause: float = 0.3
    posed: list[Question] = field(default_factory=list)
    waited_for: Asked = field(default_factory=Asked)

    def __post_init__(self) -> None:
        self._client = Flotilla(self.url, timeout=30.0, retries=0)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=ask, daemon=True) for ask in (self._wait_for, self._poll_for)
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
        self._client.close()

    def _wait_for(self) -> None:
        for question in self._turn("waits"):
            self.waited_for.asked += 1
            try:
                answer = self._client.ask(question.text, timeout=20, **self._where(question))
                question.answer = answer.model_dump(mode="json")
                self.waited_for.answered += 1
            except FlotillaAPIError as error:
                self.waited_for.told_why += 1
                question.task_id = error.task_id
            except ClientError:
                self.waited_for.broken += 1

    def _poll_for(self) -> None:
        for question in self._turn("polls"):
            try:
                accepted = persevere(
                    lambda q=question: self._client.ask_async(q.text, **self._where(q)),
                    patience=30,
                )
            except (Refused, ClientError):
                continue
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
            known = [planned for planned in self.plan if self.completed(planned)]
            planned = dice.choice(known if known and dice.random() < 0.5 else self.plan)
            place = dice.randrange(len(planned.markers))
            question = Question(planned, place, known=planned in known)
            self.posed.append(question)
            yield question
