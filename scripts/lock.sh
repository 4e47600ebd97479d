#!/usr/bin/env bash
# Renews, with uv, requirements/app.txt (what runs), requirements/dev.txt (that, the checks and the tests) and the lock
# of the flow runtime. A newer lfx is a decision, not a renewal: its version stands here. The pip that installs it
# all (pip.txt beside that lock) is changed by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv="${1:?usage: scripts/lock.sh VENV}/bin/uv"
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade)
"$uv" pip compile pyproject.toml --group install "${options[@]}" --output-file requirements/app.txt
"$uv" pip compile pyproject.toml --group dev "${options[@]}" --output-file requirements/dev.txt
printf '%s\n' lfx==1.13.0 lfx-openai==0.2.0 lfx-openai-compatible==0.2.0 |
    "$uv" pip compile - "${options[@]}" --output-file src/agentmart/adapters/runtimes/embedded/requirements.txt
