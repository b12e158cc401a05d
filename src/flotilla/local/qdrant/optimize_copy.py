"""Optimise one copy of a shard and end: `python -m flotilla.local.qdrant.optimize_copy DIR PID`.

A process of its own, since the engine keeps Python's global lock while it optimises. PID is the
node's: a node that is killed must not leave a child behind that computes for nobody.
"""

import ctypes
import os
import signal
import sys

NOTHING_TO_DO = 3  # exit code
NICENESS = 10  # questions and embeddings go first
PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)


def main(folder: str, parent: int) -> int:
    """Optimise the shard in the folder.

    Returns:
        the exit code: 0 when something was optimised, else `NOTHING_TO_DO`.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The node may have died before that call.
    if os.getppid() != parent:
        return NOTHING_TO_DO
    # Ctrl-C reaches the whole group; the node decides when its child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)

    import qdrant_edge as edge

    shard = edge.EdgeShard.load(folder)
    optimized = shard.optimize()
    shard.flush()
    shard.close()
    return 0 if optimized else NOTHING_TO_DO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
