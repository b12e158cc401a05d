"""A model's reply is told as it comes, and by any number of attempts as if there had been one."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flotilla.answer_streams import Written
from flotilla.answer_streams.entries import Reply
from flotilla.models import ModelCall
from flotilla.rag.reading import Reading
from flotilla.rag.telling import Telling
from tests.doubles.heard import Heard
from tests.unit.rag.conftest import make_passage

PASSAGES = [
    make_passage("The gearbox is covered for a year. Tyres are wear parts and not covered.", 0),
    make_passage("We open at nine o'clock. On Sundays the yard is closed.", 1),
]
CALL = ModelCall(role="answer", model="openai:test", took=1)
REPLIES = (
    "The yard opens at nine [2]. Tyres are not covered [1], [7] the gearbox is [1] .",
    "No, it is **closed** on Sundays【2】. [2]\n\n- Tyres [1-2]",
    "**NOT_IN_PASSAGES**: The documents do not say [1].",
    "not_in_passages",
    " Not in [2024] as the passages [x] say",
    "Nine [2].\n\n**NOT_IN_PASSAGES**: They say NOT_IN_PARIS. (not_in_passages) NOT_IN_PASSAGES.",
)


def read(reply: str) -> tuple[str, bool]:
    reading = Reading(PASSAGES)
    return reading.feed(reply) + reading.finish(), reading.refused


def test_a_refusal_is_read_without_its_word() -> None:
    assert read(REPLIES[2]) == ("The documents do not say.", True)
    assert read(REPLIES[3]) == ("", True)
    assert read(REPLIES[4]) == ("Not in [2024] as the passages [x] say", False)


def test_the_word_is_left_out_behind_an_answer_too_and_what_it_says_stays() -> None:
    text = "Nine [1].\n\nThey say NOT_IN_PARIS."
    assert read(REPLIES[5]) == (text, False)
    reading = Reading(PASSAGES)
    assert "".join(map(reading.feed, REPLIES[5])) + reading.finish() == text


def test_what_may_become_a_refusal_is_held_back_and_nothing_longer_than_that() -> None:
    for pieces, shown in (
        (("**", "NOT", "_IN_PASS", "AGES", "**: ", "They"), ["", "", "", "", "", "They"]),
        (("No", ", they"), ["", "No, they"]),
        (("NOT_IN_PARIS",), ["NOT_IN_PARIS"]),
        (("Nine",), ["Nine"]),
    ):
        reading = Reading(PASSAGES)
        assert [reading.feed(piece) for piece in pieces] == shown


@given(reply=st.sampled_from(REPLIES), data=st.data())
def test_readers_get_each_character_once_however_many_attempts_it_takes(
    reply: str, data: st.DataObject
) -> None:
    heard = Heard()
    while True:
        telling = Telling(PASSAGES, heard)
        so_far = telling.resume()
        assert reply.startswith(so_far)
        rest, dies = reply[len(so_far) :], data.draw(st.booleans())
        for piece in cut_up(rest, data):
            telling.hear(piece)
            if dies and data.draw(st.booleans()):
                break
        else:
            break
        heard = Heard(heard.written, heard.events)
    telling.finish(reply, CALL)
    text, _ = read(reply)
    assert "".join(heard.tokens) == heard.written.text == text
    assert not heard.taken_back
    assert [told for name, told in heard.events if name == "sources"] == [("chunk-0", "chunk-1")]
    cited = [told for name, told in heard.events if name == "citation"]
    assert cited == list(range(1, len(cited) + 1))
    ended = Telling(PASSAGES, Heard(heard.written)).ended()
    assert ended == Reply(reply, CALL.model_dump(mode="json"))
    assert Telling(PASSAGES[::-1], Heard(heard.written)).ended() is None


def cut_up(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)) | {0, len(text)})
    return [text[start:end] for start, end in pairwise(cuts)]


def test_what_was_written_from_other_passages_is_taken_back() -> None:
    first = Heard()
    telling = Telling(PASSAGES, first)
    telling.resume()
    telling.hear("Tyres are not covered [1]. The yard")
    second = Heard(first.written)
    assert Telling(PASSAGES[::-1], second).resume() == ""
    assert second.events == [("back", 0), ("sources", ("chunk-1", "chunk-0"))]
    second.token("On Sundays", "On Sundays")
    assert (second.written.text, second.written.raw) == ("On Sundays", "On Sundays")


def test_what_does_not_follow_from_what_the_model_wrote_is_taken_back() -> None:
    sources = tuple(each.chunk_id for each in PASSAGES)
    written = Written(text="Nothing was found.", sources=sources)
    heard = Heard(written)
    assert Telling(PASSAGES, heard).resume() == ""
    assert heard.events == [("back", 0)]
    heard = Heard(replace(written, text="Open at nine, from fiction.", raw="Open at nine [2]"))
    assert Telling(PASSAGES, heard).resume() == "Open at nine [2]"
    assert heard.events == [("back", 12), ("token", " [1]"), ("citation", 1)]
