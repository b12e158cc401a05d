"""Transcripts of the documentation, produced by a real stack."""
