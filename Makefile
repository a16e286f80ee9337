# From a bare machine (Python 3.11 or newer with venv and pip, nothing else): `make demo`, `make test`.
# Everything lives in .venv and is reused until pyproject.toml or the installer changes.

VENV   ?= .venv
# The first Python that is new enough; `make PYTHON=/path/to/python3.12` overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint check bench fuzz clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## build .venv: PyTorch (CPU build where there is no GPU), the package, its tools

$(STAMP): pyproject.toml tools/install.py tools/mend_torchaudio.py
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python tools/install.py train eval dev
	@touch $@

demo: $(STAMP) ## compress and decompress a speech recording, print what it cost and how it sounds
	$(BIN)/python egs/demo/demo.py

# Hypothesis' own profile "ci": the same examples every time and no deadline, so that a busy machine fails nothing.
# Plain pytest draws new examples at every run; that is for developers.
test: $(STAMP) ## run the tests
	$(BIN)/python -m pytest -q --hypothesis-profile=ci

lint: $(STAMP) ## style, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## all that must hold before a commit: lint and test

bench: $(STAMP) ## measure the speed of the quantizers, beside others where those are installed
	$(BIN)/python -m benchmarks.quantizers

fuzz: $(STAMP) ## throw damaged and forged .anc files at every reader for a minute
	$(BIN)/python -m benchmarks.fuzz_container --seconds 60

clean: ## delete outputs and caches; .venv stays
	rm -rf out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
