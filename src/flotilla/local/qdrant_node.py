"""The Qdrant node as a program: `python -m flotilla.local.qdrant_node --data DIR --port 6333`."""

import sys

from flotilla.local.qdrant.node import main

if __name__ == "__main__":
    sys.exit(main())
