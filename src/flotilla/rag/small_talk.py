"""Greetings and thanks, told by their words: they are answered without a search.

A rule knows a few of them for certain. For others a language model may be asked; but it is believed
only where the message has the words of a greeting or the like, and beyond these none that may ask
for a fact. What is replied is always a sentence of ours: whatever a model said would rest on no
document.
"""

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
_FINE = {
    "en": r"(?:ok|okay|all right|alright|fine|great|perfect|got it|i see|understood)",
    "de": r"(?:okay|alles klar|gut|super|prima|verstanden|in ordnung)",
    "fr": r"(?:d['’]accord|parfait|très bien|compris)",
    "es": r"(?:vale|de acuerdo|muy bien|entendido)",
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
    "fine": {
        "en": "All right. Ask me whenever there is something else.",
        "de": "Alles klar. Fragen Sie mich, wenn es noch etwas gibt.",
        "fr": "Très bien. Posez-moi vos autres questions quand vous voulez.",
        "es": "Muy bien. Pregúnteme cuando haya algo más.",
    },
    "bye": {"en": "Goodbye.", "de": "Auf Wiedersehen.", "fr": "Au revoir.", "es": "Adiós."},
}
_WORDS = (
    ("hello", _HELLO),
    ("hello", {tongue: rf"(?:{_HELLO[tongue]} )?{_HOW_ARE_YOU[tongue]}" for tongue in _HELLO}),
    ("thanks", {t: rf"(?:{_FINE[t]} )?{_THANKS[t]}(?: {_FINE[t]})?" for t in _THANKS}),
    ("fine", _FINE),
    ("bye", _BYE),
)
_COURTESY = {
    "en": r"(?:it is )?(?:nice|pleased|great|good) to (?:meet|see|hear from) you|"
    r"have a (?:nice|good|great|lovely) (?:day|evening|weekend|one)|"
    r"i(?: am|['’]m) (?:fine|good|well|ok|okay|great)|(?:how|how['’]s) (?:is )?it going|"
    r"what['’]?s up|well done|welcome back|my name is [^\W\d_]+",
    "de": r"(?:es )?freut mich(?: sie kennenzulernen)?|schönen (?:tag|abend|feierabend)|"
    r"schönes wochenende|mir geht(?: e|['’])?s gut|(?:mein name ist|ich hei(?:ß|ss)e) [^\W\d_]+",
    "fr": r"enchantée?|bonne (?:journée|soirée)|ça va bien|je m['’]appelle [^\W\d_]+",
    "es": r"encantad[oa]|mucho gusto|que tengas? un buen día|estoy bien|me llamo [^\W\d_]+",
}
_KINDS = (
    ("bye", _BYE),
    ("thanks", _THANKS),
    ("hello", _HOW_ARE_YOU),
    ("hello", _HELLO),
    ("hello", _COURTESY),
)
_FILLING = """
a again all amazing and awesome bot buddy cool day dear everybody everyone excellent folks for
friend friends good great guys haha help helpful helping i it lol lot lovely madam me morning much
my nice of oh ok okay one perfect please really sir so super team that the there thing this to today
too very was well wonderful yes you your

aber alle allen alles auch da das der die dir du euch für gut hilfe ihnen ihre ja liebe lieber mal
mir na nett noch nochmal prima schon sehr sie so toll und war wieder wunderbar zusammen

à aide ami amis beaucoup bien c'est de et génial la le merci mon parfait pour toi tous tout très
vous votre

a amigo amigos ayuda bien de el eres es genial la muy perfecto por su todo todos tu usted y
"""
_FILLING_WORDS = frozenset(_FILLING.split())
"""Words that may stand beside a greeting and ask for nothing. Words of questions are none of them,
nor names of anything."""

_NAMED = re.compile(
    r"\s*(?P<greeting>[^\W\d_]+(?: [^\W\d_]+)?) (?:(?:Mr|Mrs|Ms|Dr|Herr|Frau|Señora?|M|Mme)\.? )?"
    r"[A-ZÀ-ÖØ-Þ][^\W\d_]*\s*[.!]*\s*"
)
_PUNCTUATION = re.compile(r"[\s.,!?¡¿:;…-]+")


def reply_to(message: str) -> str | None:
    """The reply to a message that is small talk and nothing else, in its language; else None."""
    if len(message) > LONGEST:
        return None
    bare = _bare(message)
    for kind, patterns in _WORDS:
        for tongue, pattern in patterns.items():
            if re.fullmatch(pattern, bare):
                return _REPLIES[kind][tongue]
    return None


def confirmed_reply(message: str) -> str | None:
    """The reply to a message that a model takes for small talk, in its language; None where it may
    ask for a fact all the same."""
    if len(message) > LONGEST:
        return None
    named = _NAMED.fullmatch(message)
    if named is not None and (reply := reply_to(named["greeting"])) is not None:
        return reply
    rest, reply = _bare(message), None
    for kind, patterns in _KINDS:
        for tongue, pattern in patterns.items():
            rest, found = re.subn(rf"(?<!\S)(?:{pattern})(?!\S)", " ", rest)
            if found and reply is None:
                reply = _REPLIES[kind][tongue]
    return reply if set(rest.split()) <= _FILLING_WORDS else None


def _bare(message: str) -> str:
    return _PUNCTUATION.sub(" ", message.casefold()).strip()
