"""How texts and questions are read: terms, sentences, tables, days, names and numbers."""
