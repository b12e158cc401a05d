"""A Qdrant for one machine: its REST API, as far as Flotilla uses it, over `qdrant-edge-py`."""
