"""Which messages may be taken for small talk where a language model says so."""

import pytest

from flotilla.rag.small_talk import LONGEST, confirmed_reply, reply_to

HELLO = "Hello! Ask me something about your documents."


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Hello Anna!", HELLO),
        ("Hi there, my friend", HELLO),
        ("Good morning, dear team", HELLO),
        ("Hello, my name is Anna.", HELLO),
        ("Nice to meet you!", HELLO),
        ("Thanks, that was really helpful", "You are welcome."),
        ("Thank you for your help and goodbye", "Goodbye."),
        ("Guten Tag Herr Müller", "Hallo! Fragen Sie mich etwas zu Ihren Dokumenten."),
        ("Vielen Dank für Ihre Hilfe", "Gern geschehen."),
        ("Merci beaucoup pour votre aide", "Je vous en prie."),
        ("Muchas gracias por su ayuda", "De nada."),
    ],
)
def test_small_talk_beyond_the_rules_own_is_confirmed(message: str, reply: str) -> None:
    assert reply_to(message) is None
    assert confirmed_reply(message) == reply


@pytest.mark.parametrize(
    "message",
    [
        "How long is the warranty?",
        "Warranty",
        "opening hours please",
        "Preis Jazz",
        "Hello, what does the Jazz cost?",
        "Hi, the price?",
        "Thanks, and how much is it?",
        "Thanks. When are you open?",
        "Hallo, Garantie?",
        "Hello Garantie?",
        "Guten Tag, was kostet die Zulassung?",
        "Bonjour, quels sont les horaires ?",
        "Gracias, ¿cuánto cuesta?",
        "Who are you?",
        "Where are you?",
        "What can you do?",
        "Hello, who is the president?",
        "Hello 2023",
        "Is it you?",
        "",
        "?",
        "Hello " * LONGEST,
    ],
)
def test_what_may_ask_for_a_fact_is_never_confirmed(message: str) -> None:
    assert confirmed_reply(message) is None
