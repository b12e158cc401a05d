"""A broker for tests of the ledger: what Celery's canvases would do, one step at a time.

A message is lost, doubled or delayed when the test says so; a chord sends its body when all its
header's messages have gone through, and never when one of them was dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from flotilla import pipelines
from flotilla.ledger.fan_outs import Part
from flotilla.ledger.steps import Key
from flotilla.priorities import NORMAL
from flotilla.upkeep.queued import Queued


@dataclass
class Chord:
    """Messages side by side, and what comes after all of them."""

    left: int
    body: "Message"


@dataclass(frozen=True)
class Message:
    """A task's message with what follows it in its chain."""

    job_id: str
    stage: str
    part: int = 0
    then: tuple[str, ...] = ()
    chord: Chord | None = field(default=None, compare=False)
    eta: float = 0.0

    @property
    def key(self) -> Key:
        return Key(self.job_id, self.stage, self.part)


@dataclass(frozen=True)
class Wave:
    """What a stage that fans out puts into its place."""

    stage: str
    parts: Sequence[Part]


class ModelledBroker:
    """Queues, to be read and changed by the test."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    # --- in the place of `pipelines` -----------------------------------------------------

    def begin(self, kind: str, job_id: str, stage: str, _priority: int = NORMAL) -> None:
        first, *rest = (each.task for each in pipelines._rest(kind, job_id, stage))
        self.messages.append(Message(job_id, first, then=tuple(rest)))

    def resume_parts(
        self,
        kind: str,
        job_id: str,
        stage: str,
        parts: Sequence[Part],
        _priority: int = NORMAL,
    ) -> None:
        body, *rest = (each.task for each in pipelines._rest(kind, job_id, pipelines.BODIES[stage]))
        self.fan_out(Message(job_id, body, then=tuple(rest)), Wave(stage, parts))

    def present(self) -> Queued:
        keys = {message.key for message in self.messages if not message.eta}
        return Queued(keys, {key.job_id for key in keys})

    # --- what becomes of a message ------------------------------------------------------

    def fan_out(self, body: Message, wave: Wave) -> None:
        chord = Chord(len(wave.parts), body)
        for part in wave.parts:
            self.messages.append(Message(body.job_id, wave.stage, part.number, chord=chord))

    def replaced(self, message: Message, wave: Wave) -> None:
        """The message's task has put parts, and what waits for them, in its place."""
        body = pipelines.BODIES[wave.stage]
        self.fan_out(Message(message.job_id, body, then=message.then), wave)

    def went_through(self, message: Message) -> None:
        """The message's task has returned: its chain goes on, its chord counts it."""
        if message.chord is not None:
            message.chord.left -= 1
            if message.chord.left == 0:
                self.messages.append(message.chord.body)
        elif message.then:
            first, *rest = message.then
            self.messages.append(Message(message.job_id, first, then=tuple(rest)))

    def later(self, message: Message, eta: float) -> None:
        """It comes again at this time; a worker has it in its hands until then."""
        self.messages.append(replace(message, eta=eta))
