# Everything a contributor types. PYTHON chooses the interpreter for the virtual environment (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
DATA_DIR ?= $(or $(AGENTMART_DATA_DIR),.agentmart)
JSON ?=
PYTEST_WORKERS ?= 2

BIN := $(VENV)/bin
RUNTIME_VENV := $(or $(AGENTMART_RUNTIME_VENV),$(DATA_DIR)/runtime-venv)
SOURCES := src tests scripts benchmarks

.DEFAULT_GOAL := help
.PHONY: bench-gateway bench-rest bench-runtimes chaos soak fuzz help setup product demo serve test test-slow test-langflow fast check format lock wheel clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

setup: ## Make the virtual environment from the hash-checked lock (fast when up to date)
	@PYTHON="$(PYTHON)" bash scripts/setup.sh "$(VENV)" dev

product: # The same without checks and tests; the flow runtime installs beside it
	@PYTHON="$(PYTHON)" bash scripts/setup.sh "$(VENV)" app "$(RUNTIME_VENV)"

demo: product ## Run the whole sale; JSON=PATH also writes the results there
	@AGENTMART_DATA_DIR="$(DATA_DIR)" $(BIN)/agentmart demo $(if $(JSON),--json "$(JSON)")

serve: product ## Set up and run the product until Ctrl-C
	@$(BIN)/agentmart serve --data-dir "$(DATA_DIR)"

test: setup ## The whole suite but the slow part, on a real PostgreSQL, with coverage
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal -m "not slow" --cov --cov-report=term:skip-covered --durations=30

test-slow: setup ## Tests that start the whole product or kill processes, and those that ask every operation of the API
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist worksteal -m "slow and walk"
	$(BIN)/pytest -m "slow and not walk"

test-langflow: setup ## The runtime's tests against a real Langflow server, installed for them (1.4 GB)
	$(BIN)/python -m scripts.try_langflow .agentmart/langflow-venv

chaos: setup ## Break everything, one thing after the other, under 50,000 calls (CALLS=); log in docs/chaos.log
	AGENTMART_CHAOS_CALLS=$(or $(CALLS),50000) AGENTMART_CHAOS_LOG=docs/chaos.log $(BIN)/pytest -s tests/chaos/test_chaos.py

soak: setup ## Load for 30 minutes (MINUTES=): memory must stay flat; log in docs/soak.log
	AGENTMART_SOAK_MINUTES=$(or $(MINUTES),30) AGENTMART_SOAK_LOG=docs/soak.log $(BIN)/pytest -s tests/chaos/test_soak.py

fuzz: setup ## Feed the gateway's parsers 1,200,000 inputs (INPUTS=) that are nearly right; SEED= repeats a run
	AGENTMART_FUZZ_INPUTS=$(or $(INPUTS),1200000) AGENTMART_FUZZ_SEED=$(or $(SEED),$(shell date +%F)) $(BIN)/pytest tests/fuzz -k mutated

fast: setup ## Tests that need no server: seconds
	$(BIN)/pytest -m "not slow and not stack and not runtime and not database" tests/kit tests/contracts tests/lints tests/billing tests/catalog tests/gateway

bench-rest: setup ## Lists of the REST API on one web worker, over a fresh database: p50, answers per second
	@$(BIN)/python -W ignore -m benchmarks.rest_lists

bench-gateway: setup ## Gateways side by side (ours, nginx, FastAPI + httpx, LiteLLM, Portkey); JSON=PATH keeps the figures
	bash benchmarks/setup.sh
	$(BIN)/python -W ignore -m benchmarks.gateway $(if $(JSON),--json "$(JSON)") $(if $(ONLY),--only $(ONLY))

bench-runtimes: setup ## The embedded runtime beside a real Langflow server (1.4 GB, installed for it); JSON=PATH keeps the figures
	$(BIN)/python -W ignore -m benchmarks.runtimes .agentmart/langflow-venv $(if $(JSON),--json "$(JSON)")

check: setup ## Format, lint, types, import directions, our own lints
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.lints src

format: setup ## Rewrite the sources in the house style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock: setup ## Renew the locks (requirements/*.txt) from pyproject.toml
	bash scripts/lock.sh "$(VENV)"

wheel: setup ## Build the wheel and the source archive into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

clean: ## Remove what was built (not the data folder)
	rm -rf dist build .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* $(VENV)/.agentmart-setup-*
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
