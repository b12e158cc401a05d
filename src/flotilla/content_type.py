"""The header Content-Type, as a server or a client sends it, cut to what is kept."""

LONGEST = 255
"""Characters: what the ledger has room for."""


def kept_content_type(value: str | None) -> str | None:
    """The header's value; without its parameters where it is too long with them.

    None where that is still too long, or is nothing that can be read. It is a hint at what a file
    holds, and never worth refusing the file.
    """
    text = (value or "").strip()
    if len(text) > LONGEST:
        text = text.partition(";")[0].strip()
    return text if 0 < len(text) <= LONGEST and text.isprintable() else None
