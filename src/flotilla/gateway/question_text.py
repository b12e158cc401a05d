"""The text of a question, checked before anything is made of it."""

import unicodedata

from flotilla.errors import QuestionEmpty, QuestionTooLong


def trimmed(text: str) -> str:
    """The question as it is asked, whatever it says."""
    return text.replace("\x00", " ").strip()


def checked_question(text: str, limit: int, field: str = "question") -> str:
    """The question as it is asked.

    Args:
        text: as it was sent.
        limit: its most characters.
        field: the request's field that it stands in.

    Raises:
        QuestionEmpty: it says nothing.
        QuestionTooLong: it is longer than the limit.
    """
    question = trimmed(text)
    # Separators, marks, control and format characters alone (a zero-width space) say nothing.
    if all(unicodedata.category(character)[0] in "CMZ" for character in question):
        raise QuestionEmpty("The question is empty: send the text to be answered.", field=field)
    if len(question) > limit:
        subject = "The topic" if field == "topic" else "The question"
        raise QuestionTooLong(
            f"{subject} has {len(question):,} characters: shorten it to {limit:,}.", field=field
        )
    return question
