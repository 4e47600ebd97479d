#!/usr/bin/env bash
# Makes the virtual environment in $1 from requirements/dev.txt, every file checked by its hash, and installs
# this package into it in place. Does nothing when the lock has not changed since.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv="${1:?usage: scripts/setup.sh VENV}"
python="${PYTHON:-python3}"
lock=requirements/dev.txt
stamp="$venv/.agentmart-setup"

fail() {
    printf 'agentmart setup: %s\n' "$1" >&2
    exit 1
}

want="$(cat "$lock" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1) $PWD"
if [ -x "$venv/bin/agentmart" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then
    exit 0
fi

command -v "$python" >/dev/null || fail "there is no $python; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=python3.12 …"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' ||
    fail "$python is $("$python" -V 2>&1); 3.11, 3.12 or 3.13 is needed. Name another: make PYTHON=python3.12 …"

if [ ! -x "$venv/bin/python" ]; then
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python cannot make virtual environments; on Debian: apt-get install python3-venv"
    echo "agentmart setup: making $venv"
    "$python" -m venv "$venv"
fi
echo "agentmart setup: installing the locked packages (about a minute the first time)"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: \
    --root-user-action ignore -r "$lock" ||
    fail "the packages could not be installed; see the message above"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --root-user-action ignore \
    --no-deps --no-build-isolation --editable . ||
    fail "the package could not be installed; see the message above"
printf '%s\n' "$want" >"$stamp"
