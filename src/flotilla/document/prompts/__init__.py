"""What a model is told about documents: a file a text, with its version in its name."""

from functools import lru_cache
from importlib.resources import files

DESCRIBE_PICTURE = "describe_picture.v1"


@lru_cache
def prompt(name: str) -> str:
    """The text of a prompt file, given without its suffix."""
    file = files("flotilla.document.prompts").joinpath(f"{name}.md")
    return file.read_text(encoding="utf-8").strip()
