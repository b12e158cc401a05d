"""The supervised processes of the one-machine stack: which, how they start, show and end."""
