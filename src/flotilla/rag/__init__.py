"""The rag fleet: from a question to an answer with citations."""
