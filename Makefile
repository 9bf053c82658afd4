# make run | test | check | bench | soak. Each sets up what it needs in .venv, and again only when pyproject.toml changes.

PY := .venv/bin/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check --editable
TESTS ?=
SCHEDULES ?= 5000

.PHONY: run test check bench soak format clean

run: .venv/installed
	@$(PY) -m realtime run

test: .venv/installed-dev
	@$(PY) -m tests.support.chromium
	$(PY) -m pytest -n auto --dist worksteal $(TESTS)

check: .venv/installed-dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo

bench: .venv/installed-dev
	$(PY) -m bench

soak: .venv/installed-dev
	SCHEDULES=$(SCHEDULES) $(PY) -m pytest -q -n auto --dist worksteal tests/simulation

format: .venv/installed-dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist

.venv/installed: pyproject.toml | .venv/usable
	@echo "Installing nowserving into .venv"
	@$(PIP) .
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/usable
	@echo "Installing nowserving and its development tools into .venv"
	@$(PIP) '.[dev]'
	@touch $@ .venv/installed

# The first Python from 3.11 on. Debian and Ubuntu keep what `venv` needs in a package of its own; root gets it, others are told.
.venv/usable:
	@set -e; \
	for python in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3 none; do \
		if [ $$python = none ]; then \
			echo "nowserving needs Python 3.11 or newer. Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python3), then try again." >&2; exit 1; \
		fi; \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
	done; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
		package=python$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv; \
		if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
			echo "Installing $$package"; \
			apt-get -qq update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$package >/dev/null; \
		else \
			echo "Python's venv is missing. Install it with: sudo apt install $$package   Then try again." >&2; exit 1; \
		fi; \
	fi; \
	rm -rf .venv; \
	$$python -m venv .venv; \
	touch $@
