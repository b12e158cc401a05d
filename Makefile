# Flotilla's commands; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
DATA ?= .flotilla
# The newest Python of 3.11 to 3.13 that is on the PATH, unless PYTHON names one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo "$$name" && break; done)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{printf "  \033[1m%-20s\033[0m %s\n", $$1, $$2}'

# --- set up ---------------------------------------------------------------------------------

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Flotilla needs Python 3.11, 3.12 or 3.13: install one, or \
	name it with 'make … PYTHON=/path/to/python3'." >&2; exit 1; }

$(BIN)/python: | python
	@echo "Making the environment $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: on Debian and Ubuntu, \
	install python3-venv." >&2; rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements/local.txt pyproject.toml | $(BIN)/python
	@echo "Installing Flotilla and what one machine needs"
	@$(BIN)/python scripts/install.py requirements/local.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@echo "Installing the tools of development"
	@$(BIN)/python scripts/install.py requirements/dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Make the environment and install Flotilla into it

.PHONY: install-dev
install-dev: $(VENV)/.installed-dev ## The same, with the tools of development

$(VENV)/.installed-eval: requirements/eval.txt $(VENV)/.installed
	@echo "Installing what flotilla eval needs"
	@$(BIN)/python scripts/install.py requirements/eval.txt
	@touch $@

.PHONY: install-eval
install-eval: $(VENV)/.installed-eval ## The same, with what flotilla eval needs

# --- run ------------------------------------------------------------------------------------

.PHONY: quickstart
quickstart: $(VENV)/.installed ## From nothing to a cited answer: set up, start, ingest, ask
	@$(BIN)/flotilla quickstart docs/samples --data $(DATA)

.PHONY: up
up: $(VENV)/.installed ## Start the local stack in the foreground; Ctrl-C ends it
	@$(BIN)/flotilla models pull
	@$(BIN)/flotilla up --data $(DATA)

.PHONY: down
down: ## Stop the local stack
	@test ! -x $(BIN)/flotilla || $(BIN)/flotilla down --data $(DATA)

.PHONY: status
status: ## Show the processes of the local stack
	@$(BIN)/flotilla status --data $(DATA)

.PHONY: doctor
doctor: $(VENV)/.installed ## Check this machine and say how to mend what is wrong
	@$(BIN)/flotilla doctor --data $(DATA)

.PHONY: eval
eval: $(VENV)/.installed-eval ## Measure retrieval: DATASET=folder, the stack runs; EVAL=--help for more
	@test -n "$(DATASET)$(filter --help,$(EVAL))" || { echo "Name the folder of the data set: \
	make eval DATASET=path/to/it" >&2; exit 1; }
	@$(BIN)/flotilla eval $(DATASET) --data $(DATA) $(EVAL)

.PHONY: env
env: .env ## Make .env from .env.example, unless there is one
.env:
	@cp .env.example .env && echo "Made .env: every setting is in it, commented out."

# --- develop --------------------------------------------------------------------------------

.PHONY: check
check: $(VENV)/.installed-dev ## Lint, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Three processes, since the tests of one now and then wait for a lease or a server to end. The files
# of a minute come first: begun last, they would keep one process alone.
SUITE = $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder \
	tests/acceptance tests/integration tests/contract tests/unit

.PHONY: test
test: $(VENV)/.installed-dev ## The test suite
	$(BIN)/flotilla models pull
	$(SUITE)

.PHONY: test-thorough
test-thorough: $(VENV)/.installed-dev ## The suite with what takes minutes, and with many more examples
	$(BIN)/flotilla models pull
	$(SUITE) --thorough --timeout 0

.PHONY: bench
bench: $(VENV)/.installed-dev ## The benchmarks, as ratios measured side by side
	$(BIN)/flotilla models pull
	$(BIN)/python -m tests.benchmarks

.PHONY: chaos
chaos: $(VENV)/.installed-dev ## Kill every part of the stack and count what is left; CHAOS=--help for more
	$(BIN)/flotilla models pull
	$(BIN)/python -m tests.chaos $(CHAOS)

.PHONY: chaos-streams
chaos-streams: $(VENV)/.installed-dev ## Kill gateway and rag workers under 200 streamed answers, and count the tokens
	$(BIN)/python -m tests.chaos.answers $(CHAOS)

.PHONY: fuzz
fuzz: $(VENV)/.installed-dev ## Bad requests and damaged files by the thousand; FUZZ=--help for more
	$(BIN)/flotilla models pull
	$(BIN)/python -m tests.fuzz $(FUZZ)

.PHONY: walks
walks: $(VENV)/.installed-dev ## The ledger's state machines, twenty times as far as in the suite
	$(BIN)/python -m pytest --thorough --timeout 0 \
		tests/integration/ledger/test_recovery_states.py tests/integration/ledger/test_job_states.py

.PHONY: format
format: $(VENV)/.installed-dev ## Format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: $(VENV)/.installed-dev ## Compile requirements/*.txt from pyproject.toml
	BIN=$(BIN) scripts/lock.sh

.PHONY: samples
samples: $(VENV)/.installed-dev ## Generate docs/samples from their sources
	$(BIN)/python scripts/make_samples.py

.PHONY: clean
clean: down ## Stop the stack, then remove its data and the environment
	rm -rf $(VENV) $(DATA)
