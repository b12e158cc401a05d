"""The caches of the fleet `rag`: answers, answers to questions that mean the same, passages."""
