"""What docs/webhooks.md tells receivers to do accepts what is sent, and nothing else."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flotilla.schemas import Callback
from flotilla.upkeep.callbacks import signature

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, BODY = "whsec_of-a-receiver", '{"event": "ping", "text": "ü"}'.encode()

Check = Callable[..., bool]


@pytest.fixture(scope="module")
def check() -> Check:
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Check] = {}
    exec(code, names)  # noqa: S102 - it is our own page's
    return names["is_from_flotilla"]


def test_it_accepts_what_flotilla_sends(check: Check) -> None:
    assert check(SECRET, signature([SECRET], int(time.time()), BODY), BODY)


def test_while_a_secret_is_replaced_either_is_enough(check: Check) -> None:
    header = signature(["the new one", SECRET], int(time.time()), BODY)
    assert check(SECRET, header, BODY)
    assert check("the new one", header, BODY)


@pytest.mark.parametrize(
    ("secret", "body", "age"),
    [("another", BODY, 0), (SECRET, BODY + b" ", 0), (SECRET, BODY, 301), (SECRET, BODY, -301)],
)
def test_it_refuses_the_rest(check: Check, secret: str, body: bytes, age: int) -> None:
    assert not check(secret, signature([SECRET], int(time.time()) - age, BODY), body)


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=", "v1=00,t=1", "t=x,v1=é", "t=1700000000,v0=00"]
)
def test_it_refuses_what_is_no_signature(check: Check, header: str) -> None:
    assert not check(SECRET, header, BODY)


def test_the_body_that_is_shown_is_one() -> None:
    [shown] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shown = shown.replace(
        '"status": "completed",',
        '"status": "completed", "queue": "default", "created_at": "2026-11-20T09:30:00Z",',
    )
    assert Callback.model_validate_json(shown).event == "task.completed"
