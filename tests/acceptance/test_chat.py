"""`flotilla chat` at a terminal, over the sample documents."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from flotilla.client import Flotilla
from flotilla.settings import child_environment
from tests.acceptance.stack import PATIENCE, ROOT, Stack, wait_until

WARRANTY = "How long is the warranty on a used car?"
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A program at a terminal: what it writes, and what is typed."""

    def __init__(self, program: "subprocess.Popen[bytes]", master: int) -> None:
        self.program = program
        self._master = master
        self.shown = ""
        self._read = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, text: str) -> str:
        """What is shown up to a text that has not been read yet."""
        deadline = time.monotonic() + PATIENCE
        while (place := self.shown.find(text, self._read)) < 0:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.shown[self._read :]!r}"
            if select.select([self._master], [], [], 0.2)[0]:
                with suppress(OSError):  # it has ended
                    self.shown += os.read(self._master, 65536).decode().replace("\r\n", "\n")
        read, self._read = self.shown[self._read : place], place + len(text)
        return read


@contextmanager
def terminal(stack: Stack, *arguments: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    environment = child_environment(stack.environment) | {"TERM": "dumb", "COLUMNS": "200"}
    program = subprocess.Popen(
        [sys.executable, "-m", "flotilla", "chat", "--url", stack.url, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    try:
        yield Terminal(program, master)
    finally:
        program.kill()
        program.wait()
        os.close(master)


def _take_terminal() -> None:
    """Make the terminal that of the session, so that its keys send signals."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.mark.usefixtures("samples")
def test_a_conversation_at_a_terminal(stack: Stack, client: Flotilla, user: str) -> None:
    with terminal(stack, "-c", "samples", "--user", user) as shell:
        shell.until("\n> ")
        shell.type(f"{WARRANTY}\n")
        assert "[1] delivery-and-warranty.html" in shell.until("\n> ")
        shell.type(CTRL_C)  # at the prompt it drops the line alone
        shell.until("\n> ")
        shell.type("And on a van?\n")
        answered = shell.until("\n> ")
        shell.type(CTRL_D)
        shell.until("go on with: flotilla chat --conversation ")
        assert shell.program.wait(PATIENCE) == 0
    assert "three months" in answered
    assert "read as: How long is the warranty on a van?" in answered
    [conversation] = client.conversations(user=user)
    assert conversation.message_count == 4


@pytest.mark.usefixtures("samples")
def test_ctrl_c_cancels_the_answer_and_not_the_conversation(
    stack: Stack, client: Flotilla, user: str
) -> None:
    def waiting() -> list[str]:
        tasks = client.tasks(kind="query", status="pending")
        return [task.task_id for task in tasks]

    with terminal(stack, "-c", "samples", "--user", user) as shell:
        shell.until("\n> ")
        with stack.halted("rag-1"):
            shell.type(f"{WARRANTY}\n")
            wait_until(lambda: bool(waiting()), "the question waits")
            [task_id] = waiting()
            shell.type(CTRL_C)
            shell.until("This answer is cancelled.")
            shell.until("\n> ")
            assert client.task(task_id).status == "cancelled"
        shell.type(f"{WARRANTY}\n")
        assert "[1] delivery-and-warranty.html" in shell.until("\n> ")
        shell.type(CTRL_D)
        assert shell.program.wait(PATIENCE) == 0
    [conversation] = client.conversations(user=user)
    assert conversation.message_count == 2


@pytest.mark.usefixtures("samples")
def test_one_turn_after_the_other_by_the_conversations_id(stack: Stack, user: str) -> None:
    def flotilla(*arguments: str) -> str:
        command = (sys.executable, "-m", "flotilla", *arguments, "--url", stack.url)
        return stack.run(*command, "--user", user).stdout

    first = json.loads(flotilla("chat", WARRANTY, "-c", "samples", "--json"))
    conversation_id = first["conversation_id"]
    second = flotilla("chat", "And on a van?", "-c", "samples", "--conversation", conversation_id)
    assert "three months" in second
    assert f'flotilla chat "…" --conversation {conversation_id} -c samples' in second
    assert conversation_id in flotilla("conversations")
    flotilla("conversations", "rename", conversation_id, "Warranties")
    shown = flotilla("conversations", "show", conversation_id)
    assert shown.startswith(f"Warranties\n\n> {WARRANTY}\n")
    assert "> And on a van?\n" in shown
    flotilla("conversations", "delete", conversation_id, "--yes")
    assert conversation_id not in flotilla("conversations")
