"""Words that are spelt in several ways, made one for the search by words.

British and American spellings, and the short forms of what everybody writes in either: a question
that says "phone" has to find "Telephone: …", and one about a licence a license.
"""

import re
from functools import lru_cache

_SAME = """
phone telephone tel telephones phones
email e-mail
emails e-mails
mobile cellphone
color colour
colors colours
center centre
centers centres
meter metre
meters metres
liter litre
liters litres
fiber fibre
theater theatre
favor favour
favorite favourite
behavior behaviour
labor labour
neighbor neighbour
neighbors neighbours
harbor harbour
honor honour
license licence
licenses licences
defense defence
offense offence
practice practise
tire tyre
tires tyres
curb kerb
gray grey
program programme
programs programmes
check cheque
checks cheques
catalog catalogue
dialog dialogue
traveling travelling
traveled travelled
canceled cancelled
canceling cancelling
cancelation cancellation
modeling modelling
labeled labelled
labeling labelling
enrollment enrolment
fulfillment fulfilment
installment instalment
judgment judgement
aluminum aluminium
jewelry jewellery
airplane aeroplane
percent per-cent
healthcare health-care
website web-site
online on-line
"""
_FORMS = {
    other: first
    for first, *others in (line.split() for line in _SAME.split("\n") if line)
    for other in others
}

# Verbs of which both -ise and -ize are written; many others in -ise have no second spelling.
_STEMS = """
apolog author capital categor central character civil computer critic custom digital emphas equal
final general global harmon hospital immun initial item legal local material maxim memor minim
mobil modern neutral normal optim organ personal popular prior priorit privat public random rational
real recogn regular scrutin serial special stabil standard subsid summar symbol sympath synchron
token util vandal visual
"""
_ISE = re.compile(
    rf"((?:re|un|dis|pre)?(?:{'|'.join(_STEMS.split())}))is(e[drs]?|ers|ing|ations?|able)"
)
_ANALYSE = re.compile(r"(anal|catal|paral)ys(e[drs]?|ing|ers)")
_WORD = re.compile(r"[^\W\d_]{3,}(?:-[^\W\d_]+)*|\b[^\W\d_]-[^\W\d_]+")


def one_spelling(text: str) -> str:
    """The text with one spelling of each such word, for counting and never for showing."""
    return _WORD.sub(_replaced, text)


def _replaced(found: re.Match[str]) -> str:
    return _of_word(found[0])


@lru_cache(maxsize=50_000)
def _of_word(word: str) -> str:
    known = word.lower()
    if known in _FORMS:
        return _FORMS[known]
    for forms, letters in ((_ISE, "iz"), (_ANALYSE, "yz")):
        if same := forms.fullmatch(known):
            return same[1] + letters + same[2]
    return word
