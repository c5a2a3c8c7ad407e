# One door to the project. `make demo` and `make test` need only Python >= 3.11, make and a package index.
# PYTHON=/path/to/python3 chooses the interpreter; ARGS="..." is handed to the command.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ifndef UV
UV := $(shell command -v uv 2>/dev/null)
endif
SOURCES := dialer scheduler adapters tests
COMPILE = "$(UV)" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

# The roles are processes of their own, and so is every command: each would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint run bench chaos lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

venv: $(STAMP) ## install the locked dependencies into .venv

# Nothing is built: a path file makes the checkout importable, a small script is the command. So once the lock is
# installed no network is needed, and no stranger's package named dialer, scheduler or adapters can take our place.
$(STAMP): requirements.lock Makefile
	@set -eu; umask 022; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore UV_LINK_MODE=copy; \
	if [ ! -w "$${HOME:-/nonexistent}" ]; then export UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1; fi; \
	ready='import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))'; \
	if ! "$(BIN)/python" -c "$$ready" 2>/dev/null; then \
		python=; \
		for each in $(PYTHON) $(if $(PYTHON),,python3.14 python3.13 python3.12 python3.11 python3 python); do \
			if "$$each" -c "$$ready" >/dev/null 2>&1; then python="$$each"; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "make: no Python >= 3.11 with the modules venv and ensurepip was found" \
				"(on Debian: apt install python3-venv); install one, or name it: make PYTHON=/path/to/python3" >&2; \
			exit 1; \
		fi; \
		echo "creating $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear --without-pip "$(VENV)"; \
	fi; \
	if [ -n "$(UV)" ] && echo "installing with uv" && \
		"$(UV)" pip install --quiet --python "$(BIN)/python" --require-hashes --no-deps -r requirements.lock; then :; else \
		echo "installing with pip"; \
		"$(BIN)/python" -m pip --version >/dev/null 2>&1 || "$(BIN)/python" -m ensurepip >/dev/null; \
		"$(BIN)/python" -m pip install --quiet --require-hashes --no-deps -r requirements.lock; \
	fi; \
	"$(BIN)/python" -c 'import os, sysconfig; site = sysconfig.get_path("purelib"); \
		open(site + "/campaign_dialer.pth", "w").write(os.path.relpath(".", site) + "\n")'; \
	printf '%s\n' '#!/bin/sh' "'''exec' \"\$$(dirname \"\$$(readlink -f \"\$$0\")\")/python\" \"\$$0\" \"\$$@\"" "' '''" \
		'import sys' 'from dialer.cli import main' 'sys.exit(main())' > "$(BIN)/dialer"; \
	chmod 755 "$(BIN)/dialer"; \
	touch "$@"

demo: $(STAMP) ## dial the demo list through the simulated carrier (ARGS="--json --contacts 2000 ...")
	@$(BIN)/dialer demo $(ARGS)

run: $(STAMP) ## start everything and stay up (ARGS="--config config.toml")
	@$(BIN)/dialer up $(ARGS)

test: $(STAMP) ## run all tests (ARGS="-k windows")
	$(BIN)/python -m pytest -n 3 --dist worksteal --durations=15 $(ARGS)

lint: $(STAMP) ## style, types, import contracts
	$(BIN)/python -m ruff check $(SOURCES)
	$(BIN)/python -m ruff format --check $(SOURCES)
	$(BIN)/python -m mypy --strict $(SOURCES)
	$(BIN)/lint-imports --no-logo

bench: $(STAMP) ## measure (ARGS chooses what)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

chaos: $(STAMP) ## break things on purpose and check the laws (ARGS chooses what)
	@$(BIN)/python -m tests.system $(ARGS)

lock: ## make requirements.lock and deploy/runtime.lock anew from pyproject.toml (needs uv)
	@test -n "$(UV)" || { echo "make: lock needs uv; install it, or name it: make lock UV=/path/to/uv" >&2; exit 1; }
	$(COMPILE) --extra embedded --group dev --output-file requirements.lock
	$(COMPILE) --output-file deploy/runtime.lock

clean: ## remove .venv and every cache
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
