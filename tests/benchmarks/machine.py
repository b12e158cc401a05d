"""What the benchmarks run on: the head of every report, without which no number means much."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from flotilla.settings import cores

PACKAGES = (
    "flotilla",
    "celery",
    "redis",
    "fastapi",
    "uvicorn",
    "qdrant-client",
    "qdrant-edge-py",
    "fastembed",
    "onnxruntime",
    "pypdfium2",
)


def describe() -> dict[str, str]:
    """The machine, the moment, the load that was there before, and the versions."""
    one, five, _ = os.getloadavg()
    memory = psutil.virtual_memory()
    names = {name for name in os.environ if name.startswith("FLOTILLA_")} - {"FLOTILLA_ENV_FILE"}
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {cores()} cores",
        "memory": f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "load before": f"{one:.2f} (1 min), {five:.2f} (5 min)",
        "versions": ", ".join(filter(None, map(_versioned, PACKAGES))),
        "settings": ", ".join(f"{name}={os.environ[name]}" for name in sorted(names))
        or "the defaults",
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _versioned(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
