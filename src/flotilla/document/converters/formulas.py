"""Formulas of Office documents (OMML) in the notation of LaTeX."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.etree import _Element

_NAMES = """
α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi
ο omicron π pi ρ rho ς varsigma σ sigma τ tau υ upsilon φ phi χ chi ψ psi ω omega
Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega
ϕ phi ϵ epsilon ϑ vartheta ∂ partial ∇ nabla ∞ infty ± pm ∓ mp × times ÷ div ⋅ cdot ∙ cdot · cdot
≤ leq ≥ geq ≠ neq ≈ approx ≡ equiv ∼ sim ∝ propto → rightarrow ← leftarrow ↔ leftrightarrow
⇒ Rightarrow ⇔ Leftrightarrow ↦ mapsto ∈ in ∉ notin ⊂ subset ⊆ subseteq ∪ cup ∩ cap ∅ emptyset
∀ forall ∃ exists ∧ wedge ∨ vee ¬ neg … ldots ⋯ cdots ⋮ vdots ⋱ ddots ∑ sum ∏ prod ∐ coprod
∫ int ∬ iint ∭ iiint ∮ oint ∯ oiint ∰ oiiint ⋃ bigcup ⋂ bigcap ⋁ bigvee ⋀ bigwedge ℏ hbar ℓ ell
° circ ∘ circ ⟨ langle ⟩ rangle ‖ Vert ∥ parallel ⊥ perp † dagger ℝ mathbb{R} ℕ mathbb{N}
ℤ mathbb{Z} ℚ mathbb{Q} ℂ mathbb{C}
"""
SYMBOLS: dict[str, str] = dict(re.findall(r"(\S) (\S+)", _NAMES))
FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """arccos arcsin arctan arg cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim
        liminf limsup ln log max min sec sin sinh sup tan tanh""",
    )
)
ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030c": "check",
    "\u20d7": "vec",
}
BRACKETS = {"{": r"\{", "}": r"\}", "⟨": r"\langle", "⟩": r"\rangle", "⌊": r"\lfloor"}
BRACKETS |= {"⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "‖": r"\Vert", "": "."}
BREAK = r" \\ "
MAX_DEPTH = 200
"""Levels of formulas within formulas below which their text alone is read."""


def latex(formula: "_Element") -> str:
    """An `oMath` element in LaTeX, without the dollar signs around it.

    What is not known is read from left to right, so that no text is lost.
    """
    return " ".join(_written(formula, 0).split())


def _written(element: "_Element", depth: int) -> str:
    kind = _local(element)
    if kind == "t":
        return _text(element.text or "")
    if kind == "r":
        return _run(element)
    if kind.endswith("Pr") or depth > MAX_DEPTH:
        return "" if kind.endswith("Pr") else _text("".join(element.itertext()))
    # Each is made once: of formulas within formulas there may be hundreds of levels.
    made = [(_local(child), _written(child, depth + 1)) for child in element]
    parts = {name: text.strip() for name, text in made}
    written = _scripted(kind, parts) or _arranged(kind, made) or _marked(element, kind, parts, made)
    return "".join(text for _, text in made) if written is None else written


def _scripted(kind: str, parts: dict[str, str]) -> str | None:
    """What bears scripts; None where it is something else."""
    e, sub, sup = (parts.get(name, "") for name in ("e", "sub", "sup"))
    match kind:
        case "sSup":
            return f"{_base(e)}^{{{sup}}}"
        case "sSub":
            return f"{_base(e)}_{{{sub}}}"
        case "sSubSup":
            return f"{_base(e)}_{{{sub}}}^{{{sup}}}"
        case "sPre":
            return f"{{}}_{{{sub}}}^{{{sup}}}{e}"
        case "func":
            return f"{_function(parts.get('fName', ''))} {e}"
        case "limLow" | "limUpp":
            script = "_" if kind == "limLow" else "^"
            return f"{_function(e)}{script}{{{parts.get('lim', '')}}}"
        case "rad":
            degree = parts.get("deg", "")
            return rf"\sqrt[{degree}]{{{e}}}" if degree else rf"\sqrt{{{e}}}"
    return None


def _arranged(kind: str, made: list[tuple[str, str]]) -> str | None:
    """What stands in rows and columns; None where it is something else."""
    entries = [text.strip() for name, text in made if name in ("e", "mr")]
    match kind:
        case "m":
            return rf"\begin{{matrix}} {BREAK.join(entries)} \end{{matrix}}"
        case "mr":
            return " & ".join(entries)
        case "eqArr":
            return rf"\begin{{array}}{{l}} {BREAK.join(entries)} \end{{array}}"
    return None


def _marked(
    element: "_Element", kind: str, parts: dict[str, str], made: list[tuple[str, str]]
) -> str | None:
    """What has a line, a bracket or an operator of its own; None where it is something else."""
    e = parts.get("e", "")
    match kind:
        case "f":
            return _fraction(element, parts)
        case "nary":
            return _large(element, parts.get("sub", ""), parts.get("sup", ""), e)
        case "d":
            return _delimited(element, [text for name, text in made if name == "e"])
        case "acc":
            return rf"\{ACCENTS.get(_property(element, 'chr', chr(0x302)), 'hat')}{{{e}}}"
        case "bar" | "groupChr":
            above = _property(element, "pos", "bot") == "top"
            line = "line" if kind == "bar" else "brace"
            return rf"\{'over' if above else 'under'}{line}{{{e}}}"
    return None


def _text(text: str) -> str:
    return "".join(_symbol(char) for char in text)


def _symbol(char: str) -> str:
    if char in SYMBOLS:
        return rf"\{SYMBOLS[char]} "
    if char in "{}":
        return rf"\{char}"
    return {"\u2212": "-", "\u2013": "-", "\u2061": "", "\u2062": "", "\u2009": " "}.get(char, char)


def _run(element: "_Element") -> str:
    """A run's text; one that is no mathematics keeps its words whole."""
    text = "".join(child.text or "" for child in element if _local(child) == "t")
    properties = next((child for child in element if _local(child) == "rPr"), None)
    normal = properties is not None and any(_local(each) == "nor" for each in properties)
    if normal and re.search(r"\w\s+\w|\w{3}", text) and text.strip() not in FUNCTIONS:
        return rf"\text{{{text}}}"
    return _text(text)


def _fraction(element: "_Element", parts: dict[str, str]) -> str:
    above, below = parts.get("num", ""), parts.get("den", "")
    match _property(element, "type", "bar"):
        case "noBar":
            return rf"\genfrac{{}}{{}}{{0pt}}{{}}{{{above}}}{{{below}}}"
        case "lin":
            return f"{_base(above)}/{_base(below)}"
    return rf"\frac{{{above}}}{{{below}}}"


def _large(element: "_Element", sub: str, sup: str, e: str) -> str:
    """A sum, an integral or another large operator with its limits."""
    operator = _symbol(_property(element, "chr", "∫")).strip()
    limits = (f"_{{{sub}}}" if sub else "") + (f"^{{{sup}}}" if sup else "")
    return f"{operator}{limits} {e}"


def _delimited(element: "_Element", inner: list[str]) -> str:
    begin, end = _property(element, "begChr", "("), _property(element, "endChr", ")")
    between = _property(element, "sepChr", "|")
    text = between.join(each.strip() for each in inner)
    return rf"\left{BRACKETS.get(begin, begin)}{text}\right{BRACKETS.get(end, end)}"


def _function(name: str) -> str:
    """A function's name upright, with the limits that it may bear."""
    bare = re.match(r"[A-Za-z]*", name)
    return f"\\{name}" if bare and bare[0] in FUNCTIONS else name


def _base(text: str) -> str:
    """What bears a script, in braces where it is more than a letter, a number or a bracket."""
    simple = len(text) <= 1 or re.fullmatch(r"\w+|\\[A-Za-z]+|\\left.*\\right.+", text, re.DOTALL)
    return text if simple else f"{{{text}}}"


def _property(element: "_Element", name: str, default: str) -> str:
    """A property of a formula's part: its `val`, which may be empty."""
    for child in element:
        if not _local(child).endswith("Pr"):
            continue
        for each in child:
            if _local(each) == name:
                return next((v for k, v in each.attrib.items() if k.endswith("}val")), default)
    return default


def _local(element: "_Element") -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]
