#!/usr/bin/env bash
# Installs what benchmarks/gateway.py compares with, each contender in an environment of its own below
# .agentmart/bench. What cannot be installed is named and skipped; the benchmark then skips it too.
# Versions are those of the reference, §5.6.
set -uo pipefail

cd "$(dirname "$0")/.."
BENCH="${AGENTMART_BENCH_DIR:-.agentmart/bench}"
PYTHON="${PYTHON:-python3}"
mkdir -p "$BENCH"
missing=()

tool() { # a program and the Debian package that has it
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get install -y --no-install-recommends "$2" >>"$BENCH/setup.log" 2>&1 && command -v "$1" >/dev/null && return
    fi
    missing+=("$1 (apt-get install $2)")
}

python_env() { # name, then what pip installs
    local name="$1" place="$BENCH/$1" wanted
    shift
    wanted="$(printf '%s\n' "$@")"
    if [ -x "$place/bin/python" ] && [ "$(cat "$place/wanted" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    rm -rf "$place"
    echo "Installing $name …"
    if "$PYTHON" -m venv "$place" >>"$BENCH/setup.log" 2>&1 &&
        "$place/bin/pip" install --quiet --disable-pip-version-check "$@" >>"$BENCH/setup.log" 2>&1; then
        printf '%s\n' "$@" >"$place/wanted"
    else
        missing+=("$name (see $BENCH/setup.log)")
    fi
}

tool nginx nginx-light
tool wrk wrk

python_env fastapi "fastapi==0.165.0" "starlette==1.10.0" "pydantic==2.14.3" "uvicorn==0.54.0" "uvloop==0.22.1" \
    "httptools==0.9.0" "httpx==0.28.1" "PyJWT==2.15.1"
python_env litellm "litellm[proxy]==1.106.2" "httptools==0.9.0" "opentelemetry-api==1.45.2" \
    "opentelemetry-sdk==1.45.2" "opentelemetry-exporter-otlp==1.45.2"

if command -v npm >/dev/null; then
    portkey="$BENCH/portkey"
    if [ ! -e "$portkey/installed" ]; then
        echo "Installing portkey …"
        mkdir -p "$portkey"
        cat >"$portkey/package.json" <<'JSON'
{
  "private": true,
  "dependencies": {"@portkey-ai/gateway": "1.15.2", "hono": "4.9.7", "@hono/node-server": "1.13.8"},
  "overrides": {"hono": "$hono", "@hono/node-server": "$@hono/node-server"}
}
JSON
        if npm install --prefix "$portkey" --no-audit --no-fund --ignore-scripts >>"$BENCH/setup.log" 2>&1; then
            touch "$portkey/installed"
        else
            missing+=("portkey (see $BENCH/setup.log)")
        fi
    fi
else
    missing+=("portkey (needs node and npm)")
fi

for name in "${missing[@]}"; do
    echo "Missing, will be skipped: $name" >&2
done
exit 0
