"""Questions made from documents, for practice and for quizzes."""
