"""fastembed's cross-encoders, on this machine's processors."""

from collections.abc import Sequence
from pathlib import Path

from flotilla.errors import FileCorrupt, ModelMissing
from flotilla.vectorstore.manifest import read_manifest


class CrossEncoder:
    """A model that reads a question and a passage together, and says how well they go together.

    One instance serves many threads.

    Args:
        folder: the folder with the model and its manifest, as `flotilla models pull` laid it.
        model: its name, for the message where it is missing.
        threads: processors that one call may use.
        batch_size: passages that go through the model at once.

    Raises:
        ModelMissing: there is no model in the folder.
        FileCorrupt: the folder is damaged, or its model cannot be loaded.
    """

    def __init__(self, folder: Path, model: str, threads: int = 1, batch_size: int = 8) -> None:
        try:
            manifest = read_manifest(folder)
        except ModelMissing:
            raise ModelMissing(
                f"The reranking model {model} is not on this machine: run `flotilla models pull "
                f"{model}`, or set rerank to late_interaction or none."
            ) from None

        from fastembed.rerank.cross_encoder import TextCrossEncoder

        self.name = manifest.model
        self._batch_size = batch_size
        try:
            self._model = TextCrossEncoder(
                manifest.model,
                threads=threads,
                providers=["CPUExecutionProvider"],
                specific_model_path=str(folder),
            )
        except Exception as error:
            raise FileCorrupt(
                f"The reranking model {model} cannot be loaded ({error}); run `flotilla models "
                f"pull {model}` again."
            ) from error

    def __call__(self, question: str, texts: Sequence[str], /) -> list[float]:
        """How well each text answers the question; higher is better, in the order given.

        Texts of like lengths go through the model together.
        """
        order = sorted(range(len(texts)), key=lambda each: len(texts[each]))
        ordered = [texts[each] for each in order]
        scores = [0.0] * len(texts)
        found = self._model.rerank(question, ordered, batch_size=self._batch_size)
        for each, score in zip(order, found, strict=True):
            scores[each] = float(score)
        return scores
