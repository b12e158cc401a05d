from email.message import EmailMessage
from pathlib import Path

import pytest

from flotilla.document.converters.eml import EmlConverter
from flotilla.errors import FileCorrupt, FileEncrypted, NoText
from flotilla.models import Page
from tests.unit.document.converters.conftest import SplitFile


def mail(
    text: str | None = "The ferry goes at noon.\n\nBring a coat.", **headers: str
) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Jürgen Watt <juergen@ferry.example>"
    made["To"] = "crew@ferry.example"
    made["Date"] = "Mon, 03 Mar 2025 09:30:00 +0100"
    made["Subject"] = "Fähre: the timetable"
    for name, said in headers.items():
        del made[name]
        made[name] = said
    if text is not None:
        made.set_content(text)
    return made


def convert(folder: Path, content: EmailMessage | bytes) -> Page:
    path = folder / "mail.eml"
    path.write_bytes(content if isinstance(content, bytes) else content.as_bytes())
    (page,) = EmlConverter().pages(path)
    return page


def test_who_wrote_what_and_when(tmp_path: Path) -> None:
    page = convert(tmp_path, mail())
    assert page.text == (
        "Fähre: the timetable\n\nFrom: Jürgen Watt <juergen@ferry.example>\n"
        "To: crew@ferry.example\nDate: 2025-03-03 09:30 +0100\n\n"
        "The ferry goes at noon.\n\nBring a coat."
    )
    assert page.headings[0].title == "Fähre: the timetable"
    assert EmlConverter().inspect(tmp_path / "mail.eml").title == "Fähre: the timetable"


def test_chunks_stand_under_the_subject(tmp_path: Path, split_file: SplitFile) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(mail().as_bytes())
    assert {chunk.heading_path for chunk in split_file(path)} == {("Fähre: the timetable",)}


def test_the_plain_text_is_taken_but_where_it_says_less(tmp_path: Path) -> None:
    both = mail()
    both.add_alternative("<p>The <b>ferry</b> goes at noon.</p>", subtype="html")
    assert convert(tmp_path, both).text.endswith("Bring a coat.")
    hint = mail("See the HTML.")
    hint.add_alternative(f"<p>{'The ferry goes at noon. ' * 4}</p>", subtype="html")
    assert "See the HTML." not in convert(tmp_path, hint).text
    tables = mail("Who Fare Child 1")
    tables.add_alternative("<table><tr><th>Who<th>Fare<tr><td>Child<td>1</table>", subtype="html")
    page = convert(tmp_path, tables)
    (region,) = page.regions
    assert page.text[region.start : region.end] == "Who | Fare\nChild | 1"


def test_a_mail_of_html_alone_loads_nothing(tmp_path: Path) -> None:
    made = mail(None)
    made.set_content(
        '<p>Hello</p><img src="http://127.0.0.1:9/x.png"><script>run()</script>', subtype="html"
    )
    assert convert(tmp_path, made).text.endswith("Hello")


def test_what_is_attached_is_named(tmp_path: Path) -> None:
    made = mail()
    made.add_attachment(b"x" * 3000, maintype="application", subtype="pdf", filename="Plän.pdf")
    made.add_attachment("notes", filename="notes.txt")
    text = convert(tmp_path, made).text
    assert "Attachments: Plän.pdf (application/pdf, 3 KB), notes.txt (text/plain, 1 KB)" in text


def test_forwarded_mails_are_read_up_to_a_depth(tmp_path: Path) -> None:
    made = mail("innermost text")
    for level in range(7):
        outer = mail(f"level {level}", Subject=f"Forward {level}")
        outer.add_attachment(made)
        made = outer
    page = convert(tmp_path, made)
    assert [(h.level, h.title) for h in page.headings[:2]] == [(1, "Forward 6"), (2, "Forward 5")]
    assert "level 2" in page.text
    assert "innermost" not in page.text
    assert "(message/rfc822)" in page.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mail_that_an_editor_has_saved_is_read(tmp_path: Path, encoding: str) -> None:
    content = "From: a@b.example\nSubject: Ferry\n\nAt noon.\n".encode(encoding)
    assert convert(tmp_path, content).text == "Ferry\n\nFrom: a@b.example\n\nAt noon."


def test_an_unknown_character_set_costs_no_text(tmp_path: Path) -> None:
    header = b"From: a@b.example\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
    page = convert(tmp_path, header + b'charset="no-such"\r\n\r\ncaf\xe9\r\n')
    assert page.text.endswith("café")


@pytest.mark.parametrize(
    "kind", ["multipart/encrypted", "application/pkcs7-mime; smime-type=enveloped-data"]
)
def test_an_encrypted_mail_is_named_as_such(tmp_path: Path, kind: str) -> None:
    content = f"From: a@b.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: {kind}\n\nxx\n"
    with pytest.raises(FileEncrypted):
        convert(tmp_path, content.encode())


def test_no_mail_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(FileCorrupt):
        convert(tmp_path, b"\nno header at all\n")


def test_an_empty_mail_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoText):
        convert(tmp_path, b"From: a@b.example\n\n")


@pytest.mark.parametrize(
    "content",
    [
        b"Subject: =?utf-8?b?!!!?=\nDate: nonsense\nFrom: <<>>,;\n\nText",
        b"Subject: x\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nText",
        b"Subject: x\nContent-Type: multipart/mixed\n\nText",
        b"Subject: x\nContent-Transfer-Encoding: base64\n\nText!",
        b"Subject: x\nContent-Type: multipart/alternative; boundary=a\n\n--a\n--a\n--a--\nText",
        b"Subject: \xff\xfe\nContent-Type: ;;;\n\nText",
    ],
)
def test_what_is_badly_formed_is_read_as_far_as_it_goes(tmp_path: Path, content: bytes) -> None:
    assert convert(tmp_path, content).text


def test_latin_1_is_what_windows_takes_it_for(tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    head = "From: a@example.org\nContent-Type: text/plain; charset=iso-8859-1\n"
    path.write_bytes(f"{head}Content-Transfer-Encoding: 8bit\n\n“Quay” – 5 €\n".encode("cp1252"))
    (page,) = EmlConverter().pages(path)
    assert page.text.endswith("“Quay” – 5 €")


def test_text_behind_an_attachment_is_read(tmp_path: Path) -> None:
    made = mail("Above the plan.")
    made.add_attachment(b"plan", maintype="application", subtype="pdf", filename="plan.pdf")
    below = EmailMessage()
    below.set_content("<p>Below the plan.</p>", subtype="html")
    made.attach(below)
    page = convert(tmp_path, made)
    assert page.text.endswith("Above the plan.\n\nBelow the plan.")
    assert page.text.count("plan.pdf") == 1


def test_an_alternative_is_not_said_twice(tmp_path: Path) -> None:
    made = mail("The ferry goes at noon.")
    made.add_alternative("<p>The ferry goes at noon.</p>", subtype="html")
    made.add_attachment(b"plan", maintype="application", subtype="pdf", filename="plan.pdf")
    assert convert(tmp_path, made).text.count("noon") == 1
