# Every target sets itself up; nothing outside .venv is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-postgresql check format format-check lint types imports guards docs-check stories bench lock openapi vectors clean

help:  ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once) …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## The main job on real input, told aloud; ARGS="--exit --json" for programs
	@$(BIN)/vms-privacy demo $(ARGS)

test: $(READY)  ## All tests but the long stories
	$(BIN)/python -m pytest -n 2 -m "not story" $(ARGS)

test-postgresql: $(READY)  ## Those of them that have a database, with PostgreSQL
	$(BIN)/python -m pytest -n 2 -m "not story" --database=postgresql $(ARGS)

stories: $(READY)  ## The whole service over real sockets, and every step sabotaged
	$(BIN)/python -m pytest -n 2 --dist loadscope -m story --durations=20 $(ARGS)

check: format-check lint types imports docs-check test  ## The whole gate

format: $(READY)  ## Put every file in its one form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)  ## Style, banned calls, swallowed failures
	$(BIN)/ruff check .

types: $(READY)  ## Types, strictly
	$(BIN)/mypy

imports: $(READY)  ## Who may import whom
	$(BIN)/lint-imports

guards: $(READY)  ## The rules of the house that are tests
	$(BIN)/python -m pytest tests/guards $(ARGS)

docs-check: $(READY)  ## Generated documents are up to date
	$(BIN)/vms-privacy openapi --check docs/reference/openapi.json
	$(BIN)/vms-privacy settings-manual --check docs/operate/settings.md

openapi: $(READY)  ## Write the generated documents anew
	$(BIN)/vms-privacy openapi --write docs/reference/openapi.json
	$(BIN)/vms-privacy settings-manual --write docs/operate/settings.md

vectors: $(READY)  ## Rebuild the test vectors; must leave no difference
	$(BIN)/python -m tests.vectors.generate_sealed_file
	$(BIN)/python -m tests.vectors.generate_audit_chain
	$(BIN)/python -m tests.vectors.generate_stream_token
	$(BIN)/python -m tests.vectors.generate_receipt
	git diff --exit-code tests/vectors

bench: $(READY)  ## Measure, against named peers in one run
	$(BIN)/python -m tests.bench $(ARGS)

lock: $(READY)  ## Pin the newest dependencies, with hashes and without addresses
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --output-file requirements.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --only-build-deps --all-build-deps --constraint requirements-dev.lock --output-file requirements-build.lock pyproject.toml

clean:  ## Remove what was set up and built
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
