#!/usr/bin/env bash
# Renews requirements/app.txt (what runs) and requirements/dev.txt (that, the checks and the tests) with uv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv="${1:?usage: scripts/lock.sh VENV}/bin/uv"
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade)
"$uv" pip compile pyproject.toml "${options[@]}" --output-file requirements/app.txt
"$uv" pip compile pyproject.toml --group dev "${options[@]}" --output-file requirements/dev.txt
