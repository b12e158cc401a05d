"""Formulas of HTML (MathML) as a line of text."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

# What stands between the parts of an element that a reader sees above or beside one another.
BETWEEN = {"mfrac": "/", "msup": "^", "msub": "_", "munder": "_", "mover": "^"}
ROOTS = {"msqrt": "√", "mroot": "√"}
NOT_READ = ("annotation", "annotation-xml")
DEEPEST = 100


def spoken(formula: "_Element") -> str:
    """The formula between dollar signs as its page writes it in TeX, where it does; else its
    characters in their order."""
    tex = (formula.get("alttext") or "").strip()
    for note in formula.iter("annotation"):
        if "tex" in (note.get("encoding") or "").lower() and not tex:
            tex = " ".join("".join(note.itertext()).split())
    if tex:
        return f"${tex.strip('$')}$"
    return _written(formula, 0)


def _written(element: "_Element", depth: int) -> str:
    tag = element.tag
    if not isinstance(tag, str) or tag in NOT_READ:
        return ""
    children = [child for child in element if isinstance(child.tag, str)]
    if not children or depth > DEEPEST:
        return " ".join("".join(element.itertext()).split())
    parts = [part for child in children if (part := _written(child, depth + 1))]
    if tag in BETWEEN and len(parts) == 2:
        return BETWEEN[tag].join(part if len(part) == 1 else _grouped(part) for part in parts)
    if tag in ROOTS:
        return f"{ROOTS[tag]}({' '.join(parts)})"
    return " ".join(parts)


def _grouped(part: str) -> str:
    return part if part.isalnum() else f"({part})"
