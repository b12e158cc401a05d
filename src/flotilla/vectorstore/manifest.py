"""What a folder with an embedding model holds, as its `manifest.json` says.

The folder is laid by `flotilla models pull` and is read here and by nothing else, so that a
process learns the vectors' dimensions without loading the model.
"""

from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from flotilla.errors import FileCorrupt, ModelMissing
from flotilla.models import Value

FILE_NAME = "manifest.json"

INT8 = "@int8"
"""What a model's name ends in whose weights are integers of eight bits. Its vectors are not those
of the model that it was made of, so they have a space of their own, as any other model's."""


def published_name(model: str) -> str:
    """The name under which a model is published, of whatever precision it is here."""
    return model.removesuffix(INT8)


class Manifest(Value):
    """A model folder's contents.

    `max_tokens` is the longest text that the model was trained on, special tokens included.
    `files` gives each file's size in bytes and `sha256` its digest, both by path within the
    folder; `source` says where the weights came from.
    """

    model: str
    dimensions: int
    max_tokens: int
    source: Literal["hub", "package"]
    files: dict[str, int]
    sha256: dict[str, str]

    def is_complete(self, folder: Path) -> bool:
        """Whether every file is in the folder and has its size."""
        return all(
            (folder / name).is_file() and (folder / name).stat().st_size == size
            for name, size in self.files.items()
        )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a complete model folder.

    Raises:
        ModelMissing: there is no such folder, or no manifest in it.
        FileCorrupt: a file is missing or cut short.
    """
    try:
        manifest = Manifest.model_validate_json((folder / FILE_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise ModelMissing(
            "The embedding model is not on this machine; run `flotilla models pull`."
        ) from None
    except ValidationError:
        raise _damaged(folder) from None
    if not manifest.is_complete(folder):
        raise _damaged(folder)
    return manifest


def _damaged(folder: Path) -> FileCorrupt:
    return FileCorrupt(
        f"The embedding model in {folder} is damaged; run `flotilla models pull` again."
    )
