# Tapecast on a machine with Python 3.11 or newer and make: `make run` and `make test`.
# Everything is installed into .venv, once; it is installed again when pyproject.toml or
# constraints.txt change. Another Python: make PYTHON=python3.13 run

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

IN_VENV = $(VENV)/bin/python
# Wheels are not compiled and the build happens in the environment itself: half the waiting time.
# What is imported gets compiled at its first import, wherever one has not forbidden it.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(IN_VENV) -m pip --disable-pip-version-check --no-input install -qq --no-compile \
	-c constraints.txt
EVERYTHING = --no-build-isolation -e '.[gateway,ingest,embedded]'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test check format bench chaos install constraints clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.runtime ## run everything in one process; without Alpaca keys, on the simulator
	@exec $(IN_VENV) -m standalone $(ARGS)

test: $(VENV)/.development ## run the tests; some of them: make test ARGS="tests/repository -k layers"
	$(IN_VENV) -m pytest $(ARGS)

check: $(VENV)/.development ## check format, lint and types
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m mypy

format: $(VENV)/.development ## format the code and repair what the linter can
	$(IN_VENV) -m ruff check --fix-only .
	$(IN_VENV) -m ruff format .

bench: $(VENV)/.development ## measure; one of them: make bench ARGS="ingest"
	$(IN_VENV) -m bench $(ARGS)

chaos: $(VENV)/.development ## let 200 things go wrong; fewer: make chaos ARGS="--faults 50 --seed 3"
	$(IN_VENV) -m tests.chaos $(ARGS)

install: $(VENV)/.development ## install everything that developers need, and run nothing

constraints: ## resolve every dependency anew and write constraints.txt
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install -q -U pip setuptools
	build/constraints/bin/python -m pip install -q $(EVERYTHING) --group dev
	sed -n '/^#/p' constraints.txt > build/constraints.txt
	build/constraints/bin/python -m pip list --format=freeze --exclude-editable \
		>> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean: ## remove everything that can be made again
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.pip: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
		"Tapecast needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`." \
		"Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV), once: less than a minute, longer when packages are downloaded ..."
	@test -x $(IN_VENV) && $(IN_VENV) -m pip --version > /dev/null 2>&1 \
		|| $(PYTHON) -m venv --clear $(VENV)
	@$(INSTALL) pip setuptools
	@touch $@

$(VENV)/.runtime: $(VENV)/.pip pyproject.toml
	@$(INSTALL) $(EVERYTHING)
	@touch $@

$(VENV)/.development: $(VENV)/.pip pyproject.toml
	@$(INSTALL) $(EVERYTHING) --group dev
	@touch $(VENV)/.runtime $@
