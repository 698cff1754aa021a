# Everything goes through .venv, which `make install` makes from requirements.lock and from nothing else.
# The first target that needs it installs it; an unchanged lock costs nothing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
UV := uv==0.13.9
STAMP := $(VENV)/installed
PYTHON ?= $(firstword $(foreach name,python3.14 python3.13 python3.12 python3.11 python3,\
	$(shell $(name) -c 'import sys, venv, ensurepip; print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
STORY ?= either-first
# Tests wait more than they compute: for databases, servers and browsers to start and stop.
WORKERS ?= 4

.PHONY: help install demo up test check bench soak lock

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(STAMP) ## Make .venv with everything the product and its tests need
	@:

$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with its venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)

demo: install ## Play a story end to end (STORY=either-first, ARGS="--seed 7 --naive")
	@$(BIN)/counterfoil demo $(STORY) $(ARGS)

up: install ## Start everything: database, sandbox, worker, API, console
	@$(BIN)/counterfoil up $(ARGS)

check: install ## Lint, format, types and the layers between the rooms
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: check ## Everything CI runs; pytest's summary is the last line
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

bench: install ## Measure the paths that matter beside pgbench on the same database
	@$(BIN)/python -m bench $(ARGS)

soak: install ## Let the seeded world run for long
	@$(BIN)/python -m counterfoil.sim --all-marks $(ARGS)
	@$(BIN)/python -m pytest tests/sim tests/doors/cli -m soak --timeout 0

lock: | $(BIN)/uv ## Pin the dependencies again: versions and hashes, no addresses
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
		--python-version 3.11 pyproject.toml --group dev -o requirements.lock
