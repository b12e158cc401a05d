"""The one-machine stack: its parts, its model, and the supervisor that runs them."""
