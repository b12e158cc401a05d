"""The graphs that answer questions: their state, nodes, edges, and the graphs themselves."""
