"""A language model judges answers, with the prompts of openevals."""

import time
from typing import TYPE_CHECKING, Any

from flotilla.errors import ExtraMissing
from flotilla.settings import LLMSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Judge:
    """Says whether an answer is correct, and whether it is grounded.

    Args:
        settings: where models are asked, and how often one that does not reply.
        model: a model string as LLM_MODEL has it.

    Raises:
        ExtraMissing: openevals is not installed.
        ConfigurationError: the model cannot be used as it is configured.
    """

    def __init__(self, settings: LLMSettings, model: str) -> None:
        try:
            from openevals.llm import create_llm_as_judge
            from openevals.prompts import CORRECTNESS_PROMPT, RAG_GROUNDEDNESS_PROMPT
        except ImportError:
            raise ExtraMissing(
                "Judging by a model needs openevals, which is not installed: `make install-eval`, "
                "or `pip install 'flotilla[eval]'`, installs it."
            ) from None
        from flotilla.rag.llm.chat_models import build_chat_model

        self.name = model
        self._settings = settings
        chat = build_chat_model(settings, model)
        # `auto` is a choice of Flotilla's; LangChain makes its own where none is named.
        method = {} if settings.structured == "auto" else {"method": settings.structured}

        def judging(prompt: str) -> "Callable[..., Any]":
            judged: Callable[..., Any] = create_llm_as_judge(
                prompt=prompt, judge=chat, structured_output_kwargs=method
            )
            return judged

        self._correctness = judging(CORRECTNESS_PROMPT)
        self._groundedness = judging(RAG_GROUNDEDNESS_PROMPT)

    def correct(self, question: str, answer: str, right: str) -> float | None:
        """1 for an answer that is right and whole, else 0; None where there is no verdict."""
        return self._verdict(
            self._correctness, inputs=question, outputs=answer, reference_outputs=right
        )

    def grounded(self, answer: str, passages: "Sequence[str]") -> float | None:
        """1 for an answer that the passages bear out, else 0; None where there is no verdict."""
        return self._verdict(self._groundedness, outputs=answer, context="\n\n".join(passages))

    def _verdict(self, judged: "Callable[..., Any]", **given: str) -> float | None:
        """Tracing to LangSmith is off, whatever the environment says: documents go to the model
        that was chosen and to nobody else."""
        from langsmith import tracing_context

        for attempt in range(self._settings.attempts):
            try:
                with tracing_context(enabled=False):
                    return float(judged(**given)["score"])
            except Exception:  # noqa: BLE001 - every provider has exceptions of its own
                if attempt + 1 < self._settings.attempts:
                    time.sleep(self._settings.backoff_base * 2**attempt)
        return None
