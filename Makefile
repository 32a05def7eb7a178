# Every target builds the virtual environment it needs. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
RUNS := .venv/.runs
STAMP := .venv/.ready
JUDGE := .venv/schemathesis/.ready

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The whole lists are pinned, so nothing is left to resolve.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

venv: $(STAMP)  ## build .venv (pinned, hashed): all that tests need

$(RUNS): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "spotbot needs Python 3.11 or newer; say which with 'make PYTHON=/path/to/python3 ...'"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv"; rm -rf .venv; exit 1; }
	@echo "Installing the pinned packages into .venv (once) ..."
	@$(INSTALL) --no-compile --require-hashes -r constraints.txt
	@$(INSTALL) --no-build-isolation -e .
	@$(BIN)/python -W ignore deploy/compile_used.py
	@touch $@

$(STAMP): $(RUNS) constraints-test.txt
	@echo "Installing what tests need beside them (once) ..."
	@$(INSTALL) --require-hashes -r constraints-test.txt
	@touch $@

demo: $(RUNS)  ## a simulated market with a prompt, a page and the API; no account, no network
	@$(BIN)/spotbot demo

test: $(STAMP)  ## the test suite
	$(BIN)/python -m pytest -n auto

check: $(STAMP)  ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

$(JUDGE): benchmarks/schemathesis.txt $(STAMP)
	@$(BIN)/python -m venv --clear .venv/schemathesis
	@.venv/schemathesis/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/schemathesis.txt
	@touch $@

acceptance: $(STAMP) $(JUDGE)  ## run against the stand-in services beside the checkout
	$(BIN)/python -m benchmarks.acceptance

bench: $(STAMP)  ## speed and memory, as tables beside a raw baseline
	$(BIN)/python -m benchmarks.run

bench-truth: $(STAMP)  ## published measurements beside what our formulas say
	$(BIN)/python -m benchmarks.published_values

pictures: $(STAMP)  ## draw the README's pictures from simulated markets
	$(BIN)/python -m benchmarks.pictures

# uPlot's Python package wants IPython for notebooks, which we never import (psutil comes with it, and with the tests).
UNUSED := asttokens executing ipython ipython-pygments-lexers jedi matplotlib-inline parso pexpect ptyprocess pure-eval \
	stack-data traitlets
PINS = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header $(UPGRADE)
UPGRADE := --upgrade

constraints: $(STAMP)  ## resolve the pinned packages anew (UPGRADE= keeps the versions)
	$(BIN)/python -m pip install --quiet uv
	$(PINS) $(UNUSED:%=--no-emit-package %) --no-emit-package psutil \
		--extra full requirements-build.in pyproject.toml -o constraints.txt
	$(PINS) $(UNUSED:%=--no-emit-package %) $$(sed -nE 's/^([A-Za-z0-9._-]+)==.*/--no-emit-package \1/p' constraints.txt) \
		--extra test --extra bench --constraint constraints.txt pyproject.toml -o constraints-test.txt
	$(PINS) benchmarks/schemathesis.in -o benchmarks/schemathesis.txt

clean:  ## remove what the other targets made
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .hypothesis

.PHONY: help venv demo test check acceptance bench bench-truth pictures constraints clean
