"""Answers while they are being written: a numbered Redis stream a run, its writer and its readers.

The fleet that answers writes (`AnswerStream`), gateways follow. Nothing here decides about a job:
that it has ended, and with what, is the ledger's to say.
"""

from flotilla.answer_streams.entries import Entry, Kind, Written, fold
from flotilla.answer_streams.listener import UNHEARD, Listener
from flotilla.answer_streams.writer import AnswerStream

__all__ = ["UNHEARD", "AnswerStream", "Entry", "Kind", "Listener", "Written", "fold"]
