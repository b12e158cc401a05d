"""Flotilla: a distributed task-queue RAG platform with dedicated worker fleets."""

__version__ = "0.1.0"
