"""Sentences that speak to a language model instead of to a reader."""

import re

from flotilla.rag.untrusted import visible

# What a model is to say word for word: people are told to reply with forms, in ink, by post.
_LITERALLY = (
    r"(?:(?:with )?(?:the|this) (?:word|phrase|text|sentence|following)\b|(?:with )?[\"“„'‘]|"
    r"with (?-i:[A-Z]{4,})|nothing\b|:)"
)
_IN_GERMAN = r"(?:mit (?:dem|diesem) (?:wort|satz|text)\b|das wort\b|den satz\b|mit [\"„“'])"

# Each says what only a model could be meant to do. Words that people are told as well ("you must",
# "do not") are none of them, and neither is what is said about models ("the system prompt is").
_ORDERS = (
    # English
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,40}\b(?:(?:previous|prior|above|"
    r"earlier|preceding|foregoing|other|system|these|those|your)\b[^.!?\n]{0,20})"
    r"\b(?:instructions?|prompts?|rules|directions|guidelines|passages|documents|context)\b",
    r"\b(?:ignore|disregard|forget)\s+(?:all )?(?:of )?(?:the )?(?:above|foregoing|preceding)"
    r"(?=\s*(?:[.!;]|$|and (?:answer|reply|say|tell)\b))",
    rf"\b(?:answer|reply|respond|output|print|return)\s+(?:only|exactly|solely|exclusively|always|"
    rf"just|nothing but)\s*{_LITERALLY}",
    rf"\b(?:only|always|must|now|instead)\s+(?:answer|reply|respond|output)\b[^.!?\n]{{0,40}}?"
    rf"\s{_LITERALLY}",
    r"\b(?:answer|reply|respond)\b[^.!?\n]{0,20}\b(?:every|each|any|all) questions?\b[^.!?\n]{0,40}"
    r"\bwith (?:the (?:word|phrase)|[\"“„'‘]|(?-i:[A-Z]{4,}))",
    r"\b(?:do not|don't|never) answer (?:(?:this|the) question\b|this(?=[.!]|$))",
    r"\b(?:(?:each|every|your) (?:answer|reply|response)s?)\b[^.!?\n]{0,20}\b(?:show|display|"
    r"append|insert|include|embed|render)\b[^.!?\n]{0,20}\b(?:picture|image|link|url|markdown)\b",
    r"\byou are (?:now|no longer)\b[^.!?\n]{0,40}\b(?:assistant|language model|ai|chatbot|bot|dan|"
    r"unrestricted|(?:developer|jailbreak) mode)\b",
    r"\bas an? (?:ai|ai assistant|ai model|(?:ai |large )?language model|llm|chatbot|gpt)\b,? "
    r"you\b",
    r"\b(?:dear|attention|note to|hello)[, ]{1,2}(?:an? |the |all )?(?:ai|language model|llm|"
    r"chatbot|gpt|assistant)s?\b",
    r"\b(?:reveal|repeat|print|show|leak|send|append)\b[^.!?\n]{0,30}\b(?:system prompt|your "
    r"(?:prompt|instructions)|chat history)\b",
    r"\b(?:reveal|leak)\b[^.!?\n]{0,20}\bapi key\b",
    r"\b(?:always|only|must|now)\s+cite\b[^.!?\n]{0,30}(?:\[\d+\]|\(\d+\)|\bpassage \d|"
    r"\bthis passage\b)",
    r"\bcite\s+(?:[\[(]\d+[\])]\s*)+after (?:each|every)\b",
    r"\b(?:do not|don't|never|without)\b[^.!?\n]{0,20}\b(?:cit(?:e|ing)|mention(?:ing)?)\b[^.!?\n]"
    r"{0,20}\b(?:this (?:note|message|instruction)|these instructions|(?:the|other) passages)\b",
    r"\bnot_in_passages\b",
    # German
    r"\b(?:ignorier\w*|missacht\w*|vergiss|vergessen sie|überg[eh]+\w*)\b[^.!?\n]{0,50}"
    r"\b(?:anweisung\w*|instruktion\w*|vorgabe\w*|regeln|prompts?|dokumente|kontext)\b",
    r"\b(?:antwort\w*|gib|geben sie|schreib\w*)\b[^.!?\n]{0,30}\b(?:nur|ausschließlich|immer|stets|"
    rf"lediglich)\b[^.!?\n]{{0,30}}\b{_IN_GERMAN}",
    r"\b(?:nur|ausschließlich|immer|stets)\b[^.!?\n]{0,20}\bantworte\b",
    r"\bdu bist (?:jetzt|nun|ab sofort|nicht mehr)\b[^.!?\n]{0,40}\b(?:assistent|assistentin|ki|"
    r"bot|sprachmodell|chatbot)\b",
    r"\b(?:sprachmodell|ki-assistent\w*)\b[^.!?\n]{0,40}\b(?:du|musst|antworte|ignorier\w*)\b",
)
_ORDER = re.compile("|".join(_ORDERS), re.IGNORECASE)

# What a transcript, a chat template or a call of a tool looks like.
_ROLE = re.compile(
    r"^[ \t>*#\-\[<(]{0,40}(?:system|assistant|user|human|tool|developer)"
    r"(?: (?:message|prompt|note|override))?[\s\])>*]{0,40}:|"
    r"<[|｜][\w ./▁-]{1,40}[|｜]>|\[/?INST\]|<</?SYS>>|</?\s*passages?\b",
    re.IGNORECASE | re.MULTILINE,
)
_CALL = re.compile(
    r"[\"'](?:tool_calls?|function_call|tool_name|recipient_name|arguments|tool_use_id)[\"']\s*:|"
    r"</?(?:tool_call|function_calls?|invoke|tool_use)\b",
    re.IGNORECASE,
)
_ENCODED = re.compile(r"(?:[A-Za-z0-9+/]{60,}={0,2})")


def addresses_model(text: str) -> bool:
    """Whether a stretch of a document gives orders to a language model, plays a part in a chat, or
    is encoded so that nobody can read it.

    Such a stretch answers nobody's question. It is told by form alone: an order in other words is
    not found, and a sentence about prompts that quotes one is taken for one.
    """
    seen = visible(text)
    return any(pattern.search(seen) for pattern in (_ORDER, _ROLE, _CALL, _ENCODED))
