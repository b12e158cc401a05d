"""What Python's garbage collector need not look at."""

import gc


def settle_memory() -> None:
    """Leave what was loaded at the start out of all further garbage collections.

    Some hundred thousand objects of libraries never become garbage, and looking through them
    again and again shows as pauses of tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
