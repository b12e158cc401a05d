"""The words of a question that tell something, English and German."""

import re

WORD = re.compile(r"[^\W_]+(?:['’.\-/&][^\W_]+)*")

_EMPTY = """
a about above after again all also am an and another any anything are around as ask at available be
because been before being between both but by can cannot certain clarify could describe detail
details did difference differences different do does doing done during each either else ever every
example examples explain few for from further general get gets getting give given go goes going good
got had happen happens has have having he heard hello help her here hers hi him his how however i if
i'd i'll i'm in info information into is it its itself just kind kinds know let let's like list long
look looking lot made main make makes many may maybe me mean means mention mentioned might mine more
most much must my myself name names need needed needs no nor not now of off ok okay on once one ones
only or other others our ours out over own plan please possible provide put question read really
regarding right said same say says see shall she should since so some someone something sometimes
still such summary sure take tell than thank thanks that that's the their theirs them then there
these they they're thing things think this those through time to too type types under understand
until up us use using very via want wants was way we well were what what's when where whether
which while who whom whose why will wish with within without wonder would wow yes yet you your yours
yourself

aber alle alles als also am an andere anderen anderer anderes auch auf aus bei beim bin bis bist
bitte da dafür dabei damit dann daran darauf das dass dazu dein deine dem den denn der deren des
dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine einem einen
einer eines er erklär erkläre erklären es etwas euch euer für gab gehen geht genau gib gibt gilt
haben hallo hat hatte hätte hier hin ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist ja
jede jeder jedes kann kannst kein keine keinen können könnte könntest lang lange man mehr mein meine
meinem meinen meiner mich mir mit muss müssen möchte nach nein nicht noch nun nur ob oder ohne sag
sage sagen schon sehr sein seine seinem seinen seiner seit sich sie sind so soll sollte solche
sowie the über um und uns unser unter viel viele vom von vor wann war waren warum was weil welche
welchem welchen welcher welches wem wen wenn wer werden wessen wie wieso will wird wirst wissen wo
woher wohin wurde würde zeig zeige zu zum zur zwischen
"""
EMPTY_WORDS = frozenset(_EMPTY.split())
"""Words that name nothing: function words of both languages, and what people say around a question
("can you please explain")."""

_OPENING = " \t\n\"'“„«("


def telling(text: str) -> list[tuple[str, bool]]:
    """The words that tell something, and whether each is a name: capitalised inside a sentence, all
    in capitals, or with a figure."""
    found = []
    for match in WORD.finditer(text):
        word = match.group()
        ahead = text[: match.start()].rstrip(_OPENING)
        opens = not ahead or ahead[-1] in ".?!:"
        named = (
            (word[0].isupper() and not opens)
            or (len(word) > 1 and word.isupper())
            or any(letter.isdigit() for letter in word)
        )
        plain = word.casefold().replace("’", "'").removesuffix("'s")
        if len(word) > 1 and plain not in EMPTY_WORDS:
            found.append((word, named))
    return found
