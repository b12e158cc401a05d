import json
import subprocess
import sys

import pytest

from flotilla.local.stack.preload import PAUSE_AFTER_WISH, Preloader

LOAD = """
import json, os, sys
from flotilla.local.stack import preload

for module in preload.EVERYWHERE + preload.VECTORS + preload.GATEWAY:
    preload.load(module)
wanted = preload.EVERYWHERE + preload.VECTORS + preload.GATEWAY
print(json.dumps({
    "threads": preload.threads(),
    "missing": [module for module in wanted if module not in sys.modules],
    "own": sorted(name for name in sys.modules if name.startswith("flotilla")),
    "hidden": [name for name, module in sys.modules.items() if module is None],
    "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="modules are preloaded on Linux only")
def test_all_is_loaded_and_the_process_can_still_be_forked() -> None:
    told = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=60)
    seen = json.loads(told.stdout)
    assert seen["threads"] == 1
    assert seen["missing"] == []
    assert seen["own"] == [
        "flotilla",
        "flotilla.local",
        "flotilla.local.stack",
        "flotilla.local.stack.preload",
    ]
    assert seen["hidden"] == []
    assert seen["blas"] is None


def test_what_is_not_installed_is_passed_over_one_module_a_turn() -> None:
    preloader = Preloader()
    assert not preloader.active
    preloader.wish(["flotilla_of_nobody", "json"])
    for _ in range(PAUSE_AFTER_WISH):
        preloader.turn()
    assert preloader.pending() == 2
    preloader.turn()
    assert preloader.pending() == 1
    preloader.turn()
    preloader.turn()
    assert (preloader.pending(), preloader.active) == (0, True)
