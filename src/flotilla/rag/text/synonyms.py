"""Everyday words for the same thing: who asks seldom uses the document's own.

An embedding of a single word tells some of them ("car" and "vehicle"), but not "holiday" and "paid
leave". The groups are of general English and German, and of no trade.
"""

from collections.abc import Iterable
from functools import lru_cache

from flotilla.rag.text.inflection import german_root
from flotilla.rag.text.terms import stem

_ENGLISH = """
holiday vacation leave
job work employment
join become enrol
cancel withdraw
flat apartment home
boss manager supervisor
buy purchase
rent hire lease
fix repair mend
ill sick
doctor medical physician
shut close
photo picture photograph
pupil student
teacher lecturer tutor instructor
child kid youth junior
guest visitor
phone telephone
refund reimburse
trip excursion journey
bus coach shuttle
broken faulty defective
salary pay wage earn
guarantee warranty
forbidden prohibited
allowed permitted
companion accompany accompanied
resit retake repeat
clinic hospital
staff employee
lift elevator
rubbish waste trash
bike bicycle
deadline due
mark grade
firm company
sms text
fee charge
paperwork administration
information data
borrow lend loan
cctv camera
visa mastercard card
late delay
island isle
pet animal
cash money
throw dispose
start begin commence
cancel terminate
sign log
private personal
store keep save
"""
# Of each place the larger one that rules for it are made of.
_PLACES = """
europe european eu: france germany spain italy austria belgium netherlands holland portugal ireland
europe european eu: denmark sweden finland poland greece hungary croatia slovenia slovakia bulgaria
europe european eu: romania estonia latvia lithuania luxembourg malta cyprus czechia
britain uk mainland: england scotland wales
"""
_GERMAN = """
urlaub ferien
auto wagen fahrzeug pkw
arzt ärztin ärztlich
bezahlen zahlen überweisen begleichen
kosten preis gebühr
handy telefon
müll abfall
mail email
rad fahrrad velo
sparen mindern senken ermäßigen
stellen abstellen stehen lassen parken
abwesend fehlen verhindert
kaputt defekt schaden
chef leiter vorgesetzter
kind nachwuchs
beginnen anfangen starten
erlaubt gestattet
verboten untersagt
klinik krankenhaus
lehrer dozent
"""


def _grouped(lines: str, root: dict[str, str]) -> dict[str, frozenset[str]]:
    groups: dict[str, frozenset[str]] = {}
    for line in lines.split("\n"):
        words = frozenset(root[word] for word in line.split())
        for word in words:
            groups[word] = groups.get(word, frozenset()) | words
    return groups


@lru_cache(maxsize=1)
def _larger() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for line in _PLACES.strip().split("\n"):
        larger, places = line.split(":")
        for place in places.split():
            found[stem(place)] = frozenset(map(stem, larger.split()))
    return found


@lru_cache(maxsize=1)
def _english() -> dict[str, frozenset[str]]:
    return _grouped(_ENGLISH, {word: stem(word) for word in _ENGLISH.split()})


@lru_cache(maxsize=1)
def _german() -> dict[str, frozenset[str]]:
    return _grouped(_GERMAN, {word: german_root(word) for word in _GERMAN.split()})


def other_words(asked: Iterable[str], *, german: bool = False) -> dict[str, str]:
    """The words, as stems or as German roots, that mean what one of those asked for does, each with
    that one; "unaccompanied" is what "accompanied" is not, and about the same."""
    groups = _german() if german else _english()
    found: dict[str, str] = {}
    for word in asked:
        others = set(groups.get(word, ()))
        if not german:
            others |= {f"un{other}" for other in (*others, word)} | {word.removeprefix("un")}
            others |= set(groups.get(word.removeprefix("un"), ()))
            others |= _larger().get(word, frozenset())
        for other in others - {word}:
            found.setdefault(other, word)
    return found
