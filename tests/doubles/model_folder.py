"""Lays a changed embedding model into a folder, as `flotilla models pull` lays one as it is."""

import hashlib
import json
import shutil
from pathlib import Path

import onnx

OUTPUT = "last_hidden_state"
"""What the graphs of the models call their vectors, one a token."""

BESIDE = ("tokenizer.json", "config.json", "tokenizer_config.json", "special_tokens_map.json")
"""What is taken over as it is."""


def lay_model(
    original: Path,
    models: Path,
    name: str,
    graph: onnx.ModelProto,
    *,
    file: str,
    dimensions: int,
    max_tokens: int,
) -> Path:
    """Lay a graph under a name into the folder `models`, beside the original's tokenizer."""
    folder = models / name.replace("/", "--")
    (folder / file).parent.mkdir(parents=True)
    for each in BESIDE:
        shutil.copyfile(original / each, folder / each)
    onnx.save(graph, str(folder / file))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "model": name,
        "dimensions": dimensions,
        "max_tokens": max_tokens,
        "source": "package",
        "files": {str(path.relative_to(folder)): path.stat().st_size for path in files},
        "sha256": {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
