"""The double as a program, as it stands beside a stack."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from openai import OpenAI

ASKED = '<passages>\n<passage number="1">\nSource: hours.txt\nWe open at nine. Not before.\n'
ASKED += "</passage>\n</passages>\n\nQuestion: When do you open?"


@contextmanager
def program(*options: str) -> Iterator[OpenAI]:
    command = [sys.executable, "-m", "tests.doubles.openai_server", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            yield OpenAI(base_url=address, api_key="none", max_retries=0)
        finally:
            process.terminate()
    assert process.returncode == 0


def said(client: OpenAI, *messages: dict[str, str]) -> str | None:
    found = client.chat.completions.create(model="m", messages=list(messages))  # type: ignore[arg-type]
    return found.choices[0].message.content


def test_it_answers_from_passages_and_goes_on_with_an_answer() -> None:
    with program() as client:
        user = {"role": "user", "content": ASKED}
        assert said(client, user) == "We open at nine [1]."
        partial = {"role": "assistant", "content": "We open at"}
        more = {"role": "user", "content": "Please continue."}
        assert said(client, user, partial, more) == " nine [1]."


def test_it_takes_a_script_from_a_file_and_from_another_process(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"content": "first"}]))
    with program("--script", str(script), "--responder", "echo") as client:
        asked = {"role": "user", "content": "hello"}
        assert said(client, asked) == "first"
        assert said(client, asked) == "hello"
        root = f"http://{client.base_url.host}:{client.base_url.port}/double"
        httpx.post(f"{root}/script", json=[{"content": "second"}]).raise_for_status()
        assert said(client, asked) == "second"
        assert len(httpx.get(f"{root}/requests").json()) == 3
