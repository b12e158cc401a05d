"""Pictures of PDFs: described by a model through its real client, against a server on localhost."""

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flotilla.document.converters.pdf import PdfConverter
from flotilla.document.converters.picture_texts import Picture
from flotilla.document.converters.pictures import IllustratedConverter, choose_pictures
from flotilla.document.converters.vision import PictureDescriber
from flotilla.document.prompts import DESCRIBE_PICTURE, prompt
from flotilla.errors import Cancelled, ConverterUnavailable
from flotilla.models import DataType, Page
from flotilla.settings import LLMSettings, PictureSettings, Settings
from tests.doubles.drawn import drawn, pdf, scan
from tests.doubles.openai_server import (
    OpenAIServer,
    Request,
    error,
    malformed,
    rate_limited,
    slow,
    text,
)

ABOVE = "The two cranes on the quay are shown in the picture that follows here."
OTHERS = (
    "Whoever wants to moor here pays at the office by the gate.",
    "In winter the outer basin is closed to all boats under sail.",
    "The depth at the quay was measured anew after the flood.",
)
"""What stands on further pages: the same on each would be a running title."""
BELOW = "Figure 2: The cranes."
CRANES = drawn("Cranes", size=(300, 200), colour="yellow")
BOX = (72.0, 100.0, 372.0, 300.0)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        server.fallback = text("A diagram of two cranes, 40 m high.")
        yield server


def settings(server: OpenAIServer, **pictures: Any) -> Settings:
    return Settings(
        llm=LLMSettings(base_url=server.base_url, api_key="sk-secret", vision_model="seer"),
        pictures=PictureSettings(**{"timeout": 5.0, "seconds": 20.0} | pictures),
    )


Write = Callable[[bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: bytes) -> Path:
        path = tmp_path / "made.pdf"
        path.write_bytes(content)
        return path

    return write


def chosen(path: Path, given: Settings, **options: bool) -> list[Picture]:
    wanted = {"are_read": False, "scans_are_read": True} | options
    return choose_pictures(path, given, password=None, **wanted)


def illustrated(path: Path, given: Settings, **options: Any) -> IllustratedConverter:
    return IllustratedConverter(
        PdfConverter(),
        given,
        chosen(path, given),
        **{"describer": PictureDescriber(given), "reader": None} | options,
    )


def test_a_picture_is_described_where_it_stands(server: OpenAIServer, write: Write) -> None:
    path = write(pdf([ABOVE, (CRANES, BOX), BELOW]))
    made = illustrated(path, settings(server))
    [page] = made.pages(path)
    assert page.text == f"{ABOVE}\n\n[Picture: A diagram of two cranes, 40 m high.]\n\n{BELOW}"
    [region] = page.regions
    assert (region.data_type, region.caption) == (DataType.IMAGE, BELOW)
    assert region.box == pytest.approx(BOX, abs=0.2)
    assert made.notes() == []


def test_what_is_sent_is_the_picture_and_no_more(server: OpenAIServer, write: Write) -> None:
    path = write(pdf([ABOVE, (drawn("Cranes", size=(3000, 1500), colour="yellow"), BOX)]))
    list(illustrated(path, settings(server, max_side=400, max_tokens=77)).pages(path))
    [request] = server.requests
    assert (request.model, request.body["max_tokens"]) == ("seer", 77)
    system, user = request.messages
    assert system["content"] == prompt(DESCRIBE_PICTURE)
    [part] = user["content"]
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert max(sent.size) == 400
    # The page's own text is not sent along.
    assert ABOVE not in str(request.body)


def test_a_picture_that_repeats_is_described_once(server: OpenAIServer, write: Write) -> None:
    path = write(pdf(*([line, (CRANES, BOX)] for line in (ABOVE, *OTHERS))))
    pages = list(illustrated(path, settings(server)).pages(path))
    assert [len(page.regions) for page in pages] == [1, 0, 0, 0]
    assert len(server.requests) == 1


def test_which_pictures_are_looked_at(server: OpenAIServer, write: Write) -> None:
    icon = drawn(size=(40, 40), colour="red")
    small = drawn(size=(120, 120), colour="blue")
    background = drawn(size=(595, 842), colour="pink")
    text_page = [f"{ABOVE} {n}" for n in range(4)]
    path = write(
        pdf(
            [ABOVE, (icon, (72, 100, 172, 200)), (small, (72, 300, 272, 500))],
            [*text_page, (background, (0, 0, 595, 842))],
            [(CRANES, BOX)],
            scan("A letter"),
        )
    )
    given = settings(server)
    assert [(p.page, p.pixels) for p in chosen(path, given)] == [(1, (120, 120)), (3, (300, 200))]
    # A scan that nothing reads is a picture like any other.
    assert [p.page for p in chosen(path, given, scans_are_read=False)] == [1, 3, 4]
    # For its text, a smaller one will do.
    assert len(chosen(path, given, are_read=True)) == 3
    # Of too many, the largest.
    assert [p.page for p in chosen(path, settings(server, per_document=1))] == [3]


@pytest.mark.parametrize("reply", ["NOTHING", "nothing.", "  ", "\n"])
def test_an_ornament_leaves_no_trace(server: OpenAIServer, write: Write, reply: str) -> None:
    server.fallback = text(reply)
    path = write(pdf([ABOVE, (CRANES, BOX)]))
    made = illustrated(path, settings(server))
    [page] = made.pages(path)
    assert (page.text, page.regions, made.notes()) == (ABOVE, (), [])


def test_a_summary_is_one_plain_paragraph(server: OpenAIServer, write: Write) -> None:
    server.fallback = text("## A **map**\n\n- of the\x07 harbour\n" + "word " * 900)
    path = write(pdf([ABOVE, (CRANES, BOX)]))
    [page] = illustrated(path, settings(server)).pages(path)
    [region] = page.regions
    said = page.text[region.start : region.end]
    assert said.startswith("[Picture: A map of the harbour word")
    assert "\n" not in said
    assert len(said) < 2100


@pytest.mark.parametrize(
    ("reply", "says", "requests"),
    [
        (error(401), "OPENAI_API_KEY", 1),
        (error(404), "FLOTILLA_LLM_VISION_MODEL", 1),
        (error(429, code="insufficient_quota"), "quota", 1),
        (error(500, Retry_After="0"), "did not reply", 6),
        (rate_limited(3600), "did not reply", 2),
        (malformed(), "did not reply", 6),
    ],
)
def test_whatever_the_model_does_the_document_is_read(
    server: OpenAIServer, write: Write, reply: Any, says: str, requests: int
) -> None:
    server.fallback = reply
    path = write(pdf([ABOVE, (CRANES, BOX)], [OTHERS[0], (drawn(size=(200, 200)), BOX)]))
    made = illustrated(path, settings(server, concurrency=1))
    assert [page.text for page in made.pages(path)] == [ABOVE, OTHERS[0]]
    [note] = made.notes()
    assert note.code == "pictures_not_described"
    assert says in note.message
    assert "sk-secret" not in note.message
    assert len(server.requests) <= requests


def test_what_passes_is_waited_for(server: OpenAIServer, write: Write) -> None:
    server.script(rate_limited("0.01"), error(503, Retry_After="0"))
    path = write(pdf([ABOVE, (CRANES, BOX)]))
    [page] = illustrated(path, settings(server)).pages(path)
    assert "two cranes" in page.text
    assert len(server.requests) == 3


def test_a_model_that_hangs_costs_no_more_than_its_time(server: OpenAIServer, write: Write) -> None:
    server.fallback = slow(60)
    path = write(pdf([ABOVE, (CRANES, BOX)]))
    made = illustrated(path, settings(server, timeout=0.2, seconds=0.5))
    assert [page.text for page in made.pages(path)] == [ABOVE]
    assert {note.code for note in made.notes()} <= {"pictures_not_described", "pictures_left_out"}
    assert made.notes()


def test_a_page_range_describes_its_own_pictures(server: OpenAIServer, write: Write) -> None:
    boats = drawn("Boats", size=(300, 200))
    path = write(pdf([ABOVE, (CRANES, BOX)], [OTHERS[0]], [OTHERS[1], (boats, BOX)]))
    pages = list(illustrated(path, settings(server)).pages(path, first=2, last=3))
    assert [(page.number, len(page.regions)) for page in pages] == [(2, 0), (3, 1)]
    assert len(server.requests) == 1


def test_what_was_said_before_is_not_asked_again(server: OpenAIServer, write: Write) -> None:
    kept: dict[str, str] = {}
    path = write(pdf([ABOVE, (CRANES, BOX)]))
    given = settings(server)
    list(illustrated(path, given, keep=kept.__setitem__).pages(path))
    assert list(kept.values()) == ["A diagram of two cranes, 40 m high."]
    [page] = illustrated(path, given, known=kept.get).pages(path)
    assert "two cranes" in page.text
    assert len(server.requests) == 1


def test_whoever_does_not_want_it_any_more_stops_it(server: OpenAIServer, write: Write) -> None:
    def stop() -> None:
        raise Cancelled("Nobody waits for it.")

    path = write(pdf([ABOVE, (CRANES, BOX)]))
    with pytest.raises(Cancelled):
        list(illustrated(path, settings(server), beat=stop).pages(path))


def test_what_stands_in_pictures_is_read(server: OpenAIServer, write: Write) -> None:
    class Reader:
        def page(self, _pixels: Any, number: int | None) -> Page:
            return Page(number=number, text="Product code ABC-123")

    path = write(pdf([ABOVE, (CRANES, BOX), BELOW]))
    made = illustrated(path, settings(server), describer=None, reader=Reader)
    [page] = made.pages(path)
    assert page.text == f"{ABOVE}\n\nProduct code ABC-123\n\n{BELOW}"
    assert (page.regions, server.requests) == ((), [])


def test_two_pictures_keep_their_order(server: OpenAIServer, write: Write) -> None:
    def answer(request: Request) -> Any:
        [part] = request.messages[1]["content"]
        data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
        red, _, blue = Image.open(io.BytesIO(data)).getpixel((250, 150))  # type: ignore[misc]
        return text("The red one." if red > blue else "The blue one.")

    server.responder = answer
    red = drawn(size=(300, 200), colour="red")
    blue = drawn(size=(300, 200), colour="blue")
    path = write(pdf([ABOVE, (red, (72, 100, 372, 300)), (blue, (72, 310, 372, 510)), "The end."]))
    [page] = illustrated(path, settings(server)).pages(path)
    assert page.text.index("The red one.") < page.text.index("The blue one.")
    assert [page.text[r.start : r.end] for r in page.regions] == [
        "[Picture: The red one.]",
        "[Picture: The blue one.]",
    ]


@pytest.mark.parametrize(
    ("llm", "says"),
    [
        ({"vision_model": "anthropic:claude"}, "openai:NAME"),
        ({"vision_model": "openai:gpt-4o", "api_key": None}, "OPENAI_API_KEY"),
    ],
)
def test_a_model_that_cannot_be_asked(
    llm: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConverterUnavailable, match=says):
        PictureDescriber(Settings(llm=LLMSettings(**{"api_key": "k"} | llm)))
