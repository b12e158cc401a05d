"""Answers without a language model: sentences of the passages, and whether they answer at all."""

from flotilla.rag.extractive.generator import ExtractiveGenerator

__all__ = ["ExtractiveGenerator"]
