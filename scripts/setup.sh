#!/usr/bin/env bash
# setup.sh VENV app|dev [RUNTIME_VENV]
# Makes the virtual environment VENV from requirements/app.txt (what runs) or requirements/dev.txt (that, the checks
# and the tests), every file checked by its hash, and installs this package into it in place. Does nothing when
# the lock has not changed since. While VENV is new, the flow runtime's environment is made beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv="${1:?usage: scripts/setup.sh VENV app|dev [RUNTIME_VENV]}"
level="${2:?usage: scripts/setup.sh VENV app|dev [RUNTIME_VENV]}"
runtime="${3:-}"
python="${PYTHON:-python3}"
install=src/agentmart/adapters/runtimes/embedded/install.py

fail() {
    printf 'agentmart setup: %s\n' "$1" >&2
    exit 1
}

stamp() { printf '%s' "$venv/.agentmart-setup-$1"; }
want() { printf '%s %s' "$(cat "requirements/$1.txt" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1)" "$PWD"; }
up_to_date() { [ -x "$venv/bin/agentmart" ] && [ "$(cat "$(stamp "$1")" 2>/dev/null)" = "$(want "$1")" ]; }

if up_to_date "$level" || up_to_date dev; then
    exit 0
fi

command -v "$python" >/dev/null || fail "there is no $python; install Python 3.11 or newer (Debian: apt-get install python3 python3-venv), or name one: make PYTHON=python3.12 …"
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' ||
    fail "$python is $("$python" -V 2>&1); 3.11, 3.12 or 3.13 is needed. Name another: make PYTHON=python3.12 …"

if [ -x "$venv/bin/python" ]; then
    echo "agentmart setup: renewing $venv"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: \
        --root-user-action ignore -r "requirements/$level.txt" ||
        fail "the packages could not be installed; see the message above. A new start: remove $venv"
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        fail "$python cannot make virtual environments; on Debian: apt-get install python3-venv"
    if [ -n "$runtime" ]; then
        set -m # gives it a process group, to be ended as a whole where this script ends early
        "$python" -I "$install" runtime "$runtime" &
        beside=$!
        set +m
        trap 'kill -TERM -- "-$beside" 2>/dev/null || true' EXIT
    fi
    echo "agentmart setup: installing the locked packages into $venv (about a minute)"
    "$python" -m venv "$venv"
    "$venv/bin/python" -I "$install" packages "$venv" "requirements/$level.txt" ||
        fail "the packages could not be installed; see the message above"
fi
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --root-user-action ignore \
    --no-deps --no-build-isolation --editable . ||
    fail "the package could not be installed; see the message above"
want "$level" >"$(stamp "$level")"
if [ -n "${beside:-}" ]; then
    wait "$beside" || fail "the flow runtime could not be installed; see the message above"
fi
