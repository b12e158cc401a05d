"""Print the transcripts of docs/answers.md, or write them into it.

    python -m tests.transcripts [--write]

A stack is started with the documents of docs/samples, once without a language model and once with
one of rules, and `flotilla ask` is run against it.
"""

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from flotilla.client import Flotilla
from tests.acceptance.stack import PATIENCE, ROOT, SAMPLES, Stack, running_stack
from tests.doubles.openai_server import OpenAIServer
from tests.doubles.tavily_server import KEY, TavilyServer, page
from tests.transcripts.model import RuledModel, Scripted

PAGE = ROOT / "docs" / "answers.md"
WIDTH = 110
BEGIN, END = "<!-- transcripts -->", "<!-- end of transcripts -->"

WITHOUT_MODEL = (
    ("How old do I have to be for a test drive?", "simple"),
    ("What does the Honda Jazz hybrid cost?", "simple"),
    ("Do you sell motorcycles?", "simple"),
)

AGE = Scripted(
    "How old do I have to be for a test drive?",
    [("You have to be at least 23 years old", "at least 23 years old")],
)
LATE = Scripted(
    "What happens if nobody fetches my new car?",
    [
        ("Storage costs £12 a day", "£12 a day"),
        ("The car is washed again before you get it", "£12 a day"),
    ],
    wording="storage cost late collection of a vehicle",
    unsupported="washed",
)
VAT = Scripted(
    "What is the standard rate of VAT in the United Kingdom?",
    [("The standard rate of VAT in the United Kingdom is 20%", "standard rate of VAT is 20%")],
    wording="UK VAT standard rate",
)
TWO_PARTS = Scripted(
    "What does a second key that is missing take off my trade-in, and what does delivery cost a "
    "mile beyond the first 25?",
    [
        ("A missing second key lowers the trade-in value by £120", "£120"),
        ("Beyond the first 25 miles, delivery costs £1.10 a mile", "£1.10"),
    ],
    searches=(
        "search_documents: missing second key trade-in value",
        "search_documents: delivery cost per mile",
    ),
)
WITH_MODEL = ((AGE, "simple"), (LATE, "crag"), (VAT, "crag"), (TWO_PARTS, "react"))

WEB_PAGE = page(
    "https://tax.example.org/vat-rates",
    "Rates of value added tax. In the United Kingdom the standard rate of VAT is 20%. "
    "A reduced rate of 5% applies to some goods.",
    "VAT rates",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.transcripts")
    parser.add_argument("--write", action="store_true", help="write them into docs/answers.md")
    write = parser.parse_args().write
    text = "\n".join(_transcripts())
    if not write:
        sys.stdout.write(text)
        return 0
    whole = PAGE.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    PAGE.write_text(between.sub(lambda _: f"{BEGIN}\n\n{text}\n{END}", whole), encoding="utf-8")
    return 0


def _transcripts() -> list[str]:
    with tempfile.TemporaryDirectory(prefix="flotilla-transcripts-") as folder:
        parts = ["Without a language model:", ""]
        with running_stack(Path(folder) / "plain", Path(folder)) as stack:
            parts += _asked(stack, WITHOUT_MODEL)
        server, tavily = OpenAIServer(), TavilyServer()
        server.responder = RuledModel([question for question, _ in WITH_MODEL])
        tavily.answer(WEB_PAGE)
        parts += ["With a model of rules in the place of a language model:", ""]
        with (
            server,
            running_stack(
                Path(folder) / "modelled",
                Path(folder),
                LLM_MODEL="openai:rules",
                LLM_BASE_URL=server.base_url,
                FLOTILLA_LLM_PRICES='{"openai:rules": {"input": 0.15, "output": 0.60}}',
                TAVILY_API_KEY=KEY,
                FLOTILLA_WEB_BASE_URL=tavily.url,
            ) as stack,
        ):
            parts += _asked(stack, [(each.question, mode) for each, mode in WITH_MODEL])
        tavily.close()
    return parts


def _asked(stack: Stack, questions: Sequence[tuple[str, str]]) -> list[str]:
    files = [path for path in sorted(SAMPLES.iterdir()) if path.suffix != ".json"]
    with Flotilla(stack.url) as client:
        for each in client.upload(*files):
            assert client.wait(each.task_id, timeout=3 * PATIENCE).status == "completed"
    parts = []
    for question, mode in questions:
        command = ["flotilla", "ask", question, "--mode", mode, "--trace"]
        lines = stack.run("env", f"COLUMNS={WIDTH}", *command).stdout.splitlines()
        shown = "\n".join(line.rstrip() for line in lines).rstrip()
        parts += ["```text", f"$ {shlex.join(command)}", shown, "```", ""]
    return parts


if __name__ == "__main__":
    sys.exit(main())
