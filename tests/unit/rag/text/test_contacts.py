import pytest

from flotilla.rag.text.contacts import address, asked_contact, has, is_contact


@pytest.mark.parametrize(
    "line",
    [
        "Telephone: 01632 960 774",
        "Telefon   0341 5550 127",
        "01632 960 774",
        "E-mail: desk@library.example",
        "Write to desk@library.example",
        "Web: www.library.example",
        "Bracken Machines, 19 Foundry Lane, Oldbury OB2 1RR",
    ],
)
def test_a_line_of_contact(line: str) -> None:
    assert is_contact(line)


@pytest.mark.parametrize(
    "line",
    [
        "SL-4016 Tesla Model 3 Long Range 2021 35,200 Electric Automatic £25,400",
        "Our company number is 04417729.",
        "| Sales | 01632 960 774 | Room 3 |",
        "Call 01632 960 774 before noon",
        "Saturday: 9:00 to 17:00",
        "Oil, filters, 19 belts",
    ],
)
def test_no_line_of_contact(line: str) -> None:
    assert not is_contact(line)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["Town Library", "7 Corn Street", "Whitcombe WT3 8LB"], (0, 3)),
        (["Stadtmuseum", "Am Mühlgraben 4", "04177 Lindenau", "Deutschland"], (0, 4)),
        (["Address", "7 Corn Street", "Whitcombe WT3 8LB", "", "Telephone"], (1, 3)),
        (["Where we are", "  7 Corn Street", "  Whitcombe WT3 8LB"], (1, 3)),
        (["7 Corn Street", "Whitcombe WT3 8LB", "Telephone: 01632 960 774"], (0, 2)),
        (["7 Corn Street", "Whitcombe"], None),
        (["Technical data", "4 cylinders", "1600 Cubic centimetres"], None),
        (["We are at", "7 Corn Street, Whitcombe WT3 8LB."], None),
    ],
)
def test_an_address_is_a_few_short_lines(lines: list[str], found: tuple[int, int] | None) -> None:
    assert address(lines) == found


def test_a_question_asks_for_one_way_to_reach_somebody() -> None:
    def answers(question: str, line: str) -> bool:
        contact = asked_contact(question)
        return contact is not None and has(contact, line)

    phone, fax = "Telephone: 01632 960 774", "Fax: 01632 960 775"
    assert answers("What is your phone number?", phone)
    assert answers("Wie lautet Ihre Telefonnummer?", phone)
    assert not answers("What is your phone number?", fax)
    assert answers("What is your fax number?", fax)
    assert not answers("What is your fax number?", phone)
    assert not answers("What is her mobile number?", phone)
    assert answers("What is your e-mail address?", "E-mail: desk@library.example")
    assert not answers("What is your e-mail address?", "7 Corn Street, Whitcombe WT3 8LB")
    assert answers("Where are you?", "7 Corn Street, Whitcombe WT3 8LB")
    assert asked_contact("How much is a call?") is None


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What is the number for emergencies?", True),
        ("What's the emergency number?", True),
        ("What is the number of employees?", False),
    ],
)
def test_a_telephone_number_may_be_called_a_number(question: str, asks: bool) -> None:
    contact = asked_contact(question)
    assert (contact is not None and has(contact, "Call 01632 960 774.")) is asks
