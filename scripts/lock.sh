#!/usr/bin/env bash
# Compile requirements/*.txt: exact versions with hashes, one file an image, for Python 3.11 to 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}

compile() { # OUTPUT ARGUMENTS...
  local output=requirements/$1.txt
  shift
  "$bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-annotate \
    --custom-compile-command "make lock" --output-file "$output" "$@"
}

compile dev --extra local --extra s3 --extra eval --extra ocr --extra llamaparse --extra vision --group dev ${UPGRADE:+--upgrade}
# What all files share has one version: the largest set decides.
for extra in gateway document vectorstore rag default flower; do
  compile "$extra" --extra "$extra" --extra postgres --extra s3 --constraint requirements/dev.txt
done
compile local --extra local --constraint requirements/dev.txt
compile eval --extra eval --constraint requirements/dev.txt
