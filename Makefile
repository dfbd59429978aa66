# A fresh machine needs python 3.11 or newer (with venv), git and make. Everything else comes with `make setup`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CODE := domain projections adapters replay api

.PHONY: setup demo serve test check lint format types imports bench screenshots golden lock clean

setup: $(READY)

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11 setup"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(READY)
	$(BIN)/ticketledger demo

serve: $(READY)
	$(BIN)/ticketledger serve

test: $(READY)
	$(BIN)/python -m pytest

format: $(READY)
	$(BIN)/ruff format .

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

check: lint test

bench: $(READY)
	$(BIN)/python -m benchmarks --all --write docs/benchmarks.md

# Golden event formats and the pages made from the code. Before a release: --release, after which no event changes.
golden: $(READY)
	$(BIN)/python -m tests.architecture.generated

screenshots: $(READY)
	$(BIN)/python -m tests.end_to_end.screenshots

# The locks hold names, versions and hashes only: no address, so any index or mirror serves them (docs/adr/0002).
lock: $(READY)
	test -x .venv/lock/bin/uv || { $(PYTHON) -m venv .venv/lock && .venv/lock/bin/python -m pip install --quiet uv; }
	.venv/lock/bin/uv pip compile $(LOCK_OPTIONS) --upgrade --extra embedded \
		pyproject.toml --output-file requirements.lock
	.venv/lock/bin/uv pip compile $(LOCK_OPTIONS) --constraint requirements.lock --extra embedded --group dev \
		pyproject.toml --output-file requirements-dev.lock
	! grep -nE '://|^ *(-i|-f|--index|--extra-index|--find-links)|(^|[ =])/' requirements.lock requirements-dev.lock

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
