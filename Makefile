# cOTA: everything that a developer does. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test test-exhaustive fuzz bench lint docs

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# One stamp stands for the whole set-up; it is made again when what is installed changes.
$(VENV)/.stamp: requirements.lock pyproject.toml
	@echo "cota: making $(VENV) from requirements.lock (once; a minute or so)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cota: Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "cota: python3 -m venv failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(VENV)/.stamp ## a whole update on this machine (ARGS='--devices 5' passes options)
	@$(BIN)/cota demo $(ARGS)

test: $(VENV)/.stamp ## all tests (ARGS='-k name' passes options to pytest)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-exhaustive: $(VENV)/.stamp ## all tests, with every sweep in full
	@COTA_EXHAUSTIVE=1 $(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

fuzz: $(VENV)/.stamp ## fuzz what reads foreign bytes (ARGS='--seconds 600'); findings end with 1
	@$(BIN)/python tests/fuzz/fuzz.py $(ARGS)

bench: $(VENV)/.stamp ## measure beside the peers; prints a table, keeps bench/results.json
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.stamp ## formatter, linter and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy --config-file typings/device.ini

docs: $(VENV)/.stamp ## build the documentation into docs/_build
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build
