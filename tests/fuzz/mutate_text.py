"""Mutations of HTML, Markdown and plain text: markup nested, left open, and put where it is not
looked for."""

import random

from tests.fuzz.dice import length, number, place
from tests.fuzz.mutate_bytes import MUTATIONS, Mutation

DEEP = (10, 100, 300, 1000, 1000, 5000)
TAGS = (
    *("div", "p", "table", "tr", "td", "th", "ul", "ol", "li", "pre", "form", "article"),
    *("section", "header", "a", "b", "span", "svg", "template"),
)
HTML_SCRAPS = (
    "<table><tr><td rowspan={n}>x<td colspan={n}>y</table>",
    '<td rowspan="{n}">',
    "<ol start={n}><li value={n}>item",
    "&#{n};&#x{n};&nosuch;&amp",
    "<!--",
    "<!-- -- > -->",
    "<![CDATA[",
    "<?xml version='1.0' encoding='{n}'?>",
    "<!DOCTYPE html [<!ENTITY a 'b'><!ENTITY b '&a;&a;'>]>",
    '<meta charset="utf-7">',
    '<meta charset="{n}">',
    "<script>",
    "</body></html>",
    "<plaintext>",
    "<svg><foreignObject><p>x",
    "<a:b xmlns:a='{n}'><p a:c='d'>",
    '<p class="nav" id="footer" role="menu" hidden aria-hidden="true">',
    "<frameset><frame>",
    "<title>\x00</title>",
    "<p \x01=\x02>\x03</p\x04>",
    "<base href='http://[{n}'>",
    "<link rel='canonical' href='http://[::{n}'>",
    "<meta property='og:title' content=''><meta name='date' content='{n}'>",
    "<time datetime='{n}'>",
    "<a href='http://[{n}'>x</a>",
    '<img src="//[{n}">',
)
MARKDOWN_SCRAPS = (
    "\n---\ntitle: {n}\n---\n",
    "\n+++\ntitle = [\n+++\n",
    "\n```\n",
    "\n~~~{n}\n",
    "\n{n}. item\n",
    "\n# \n## #\n### {n}\n#\n",
    "\nx\n===\n---\n",
    "[a]: <\n",
    "[a][b][c]({n}",
    "<!--\n",
    "&#{n};",
    "\n\t\t- x\n\t> y\n",
    "\u2028# no heading\n",
    "\x0b\x0c# heading\x1c\n",
    "| a | b\n|-\n",
)
MAIL_SCRAPS = (
    "Content-Type: multipart/mixed; boundary={n}",
    "Content-Type: text/html; charset={n}",
    "Content-Type: message/rfc822",
    "Content-Type: ;=",
    "Content-Transfer-Encoding: base64",
    "Content-Transfer-Encoding: {n}",
    "Content-Disposition: attachment; filename*=utf-{n}''%{n}",
    "Subject: =?utf-8?q?={n}?= =?x?b?!?=",
    "From: <<{n}>>,,;:",
    "Date: {n} {n} {n}",
    "To: (((((\\",
    "--",
    "",
)
MARKDOWN_NESTED = (">", "- ", "[", "*", "_", "`", "![", "1. ", "<", "(", "**a", "~", "> - ", "#")


def nest(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Elements within elements, too deep for a reader that calls itself."""
    at, depth = place(dice, len(data)), dice.choice(DEEP)
    tags = dice.sample(TAGS, 1 if depth > 1000 else dice.choice((1, 1, 2, 3)))
    opening = "".join(f"<{tag}>" for tag in tags) * depth
    closing = "".join(f"</{tag}>" for tag in reversed(tags)) * depth if dice.random() < 0.5 else ""
    return data[:at] + f"{opening}deep{closing}".encode() + data[at:]


def mark_up(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Odd or unfinished markup in one to eight places."""
    for _ in range(length(dice, 8)):
        at = place(dice, len(data))
        scrap = dice.choice(HTML_SCRAPS).replace("{n}", number(dice)).encode()
        data = data[:at] + scrap * dice.choice((1, 1, 1, 50)) + data[at:]
    return data


def mark_down(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Odd or unfinished Markdown in one to eight places."""
    for _ in range(length(dice, 8)):
        at = place(dice, len(data))
        scrap = dice.choice(MARKDOWN_SCRAPS).replace("{n}", number(dice)).encode()
        data = data[:at] + scrap * dice.choice((1, 1, 1, 50)) + data[at:]
    return data


def nest_down(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Quotes within quotes, brackets within brackets."""
    at, depth = place(dice, len(data)), dice.choice(DEEP)
    scrap = dice.choice(MARKDOWN_NESTED) * depth
    ladder = "".join(f"{'  ' * step}- x\n" for step in range(min(depth, 400)))
    return data[:at] + dice.choice((scrap, f"\n{scrap} deep\n", ladder)).encode() + data[at:]


def encode_anew(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """The same characters in another encoding, its mark kept, left out or put twice."""
    text = data.decode(errors="replace")
    encoding = dice.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "latin-1"))
    encoded = text.encode(encoding, errors="replace")
    return dice.choice((encoded, encoded[:-1], b"\xef\xbb\xbf" + encoded, b"\xff\xfe" + encoded))


def stretch_lines(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """A single line, a word without end, or other characters for the ends of lines."""
    end = dice.choice((b" ", b"", b"\r", b"\x0b", b"\x0c", "\u2028".encode(), "\u0085".encode()))
    return data.replace(b"\n", end) * dice.choice((1, 1, 1, 4))


HTML: tuple[Mutation, ...] = (nest, mark_up, mark_up, encode_anew)
MARKDOWN: tuple[Mutation, ...] = (nest_down, mark_down, mark_up, nest, encode_anew, stretch_lines)
TEXT: tuple[Mutation, ...] = (encode_anew, stretch_lines, mark_up)


def change_mail(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change what stands behind some line of a mail's header: a field, or a part of the body."""
    lines = data.split(b"\n")
    at = dice.randrange(1, max(2, min(len(lines), 40)))
    behind = b"\n".join(lines[at:])
    if dice.random() < 0.4:
        field = dice.choice(MAIL_SCRAPS).replace("{n}", number(dice)).encode()
        return b"\n".join([*lines[:at], field, behind])
    return b"\n".join([*lines[:at], dice.choice((*TEXT, *MUTATIONS))(behind, other, dice)])


MAIL: tuple[Mutation, ...] = (change_mail, change_mail, *TEXT)
