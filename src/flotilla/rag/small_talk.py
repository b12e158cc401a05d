"""Greetings and thanks, told by their words: they are answered without a search."""

import re

LONGEST = 80
"""Characters beyond which a message is taken for a question."""

_HELLO = {
    "en": r"(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|greetings)(?: there| all)?",
    "de": r"(?:hallo|hi|guten (?:morgen|tag|abend)|servus|moin|grüß gott|grüezi)",
    "fr": r"(?:bonjour|bonsoir|salut)",
    "es": r"(?:hola|buenos días|buenas (?:tardes|noches))",
}
_THANKS = {
    "en": r"(?:thanks|thank you|thx|cheers)(?: (?:a lot|very much|so much))?",
    "de": r"(?:danke|vielen dank|danke (?:schön|sehr)|besten dank)",
    "fr": r"(?:merci(?: beaucoup)?)",
    "es": r"(?:(?:muchas )?gracias)",
}
_HOW_ARE_YOU = {
    "en": r"how are you(?: doing)?(?: today)?",
    "de": r"wie geht(?: e|['’])?s(?: dir| ihnen)?",
    "fr": r"(?:comment (?:ça va|allez-vous)|ça va)",
    "es": r"(?:cómo estás|qué tal)",
}
_BYE = {
    "en": r"(?:bye|goodbye|good night|see you)(?: later| soon)?",
    "de": r"(?:tschüss|tschüß|auf wiedersehen|gute nacht|bis bald)",
    "fr": r"(?:au revoir|bonne nuit|à bientôt)",
    "es": r"(?:adiós|hasta luego)",
}
_REPLIES = {
    "hello": {
        "en": "Hello! Ask me something about your documents.",
        "de": "Hallo! Fragen Sie mich etwas zu Ihren Dokumenten.",
        "fr": "Bonjour ! Posez-moi une question sur vos documents.",
        "es": "¡Hola! Pregúnteme algo sobre sus documentos.",
    },
    "thanks": {
        "en": "You are welcome.",
        "de": "Gern geschehen.",
        "fr": "Je vous en prie.",
        "es": "De nada.",
    },
    "bye": {"en": "Goodbye.", "de": "Auf Wiedersehen.", "fr": "Au revoir.", "es": "Adiós."},
}
_WORDS = (
    ("hello", _HELLO),
    ("hello", {tongue: rf"(?:{_HELLO[tongue]} )?{_HOW_ARE_YOU[tongue]}" for tongue in _HELLO}),
    ("thanks", _THANKS),
    ("bye", _BYE),
)
_PUNCTUATION = re.compile(r"[\s.,!?¡¿:;…-]+")


def reply_to(message: str) -> str | None:
    """The reply to a message that is small talk and nothing else, in its language; else None."""
    if len(message) > LONGEST:
        return None
    bare = _PUNCTUATION.sub(" ", message.casefold()).strip()
    for kind, patterns in _WORDS:
        for tongue, pattern in patterns.items():
            if re.fullmatch(pattern, bare):
                return _REPLIES[kind][tongue]
    return None
