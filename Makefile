# make demo, make test: each makes .venv, installs what it needs into it, and runs. Needed: Python 3.11+, a C compiler.
#
# The project is installed as a regular wheel, again whenever its sources change: an editable installation by
# meson-python would look for changes at every start of Python.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Folders too: they change when a file goes.
SOURCES := pyproject.toml meson.build $(shell find src ! -path '*/__pycache__*' ! -name '*.so')
PYTEST := $(BIN)/python -m pytest -q
# The files of tests side by side, one on each processor.
SPREAD := -n auto --dist loadfile

.PHONY: help demo test test-all lint examples docs-check pages format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo        train two classifiers of handwritten digits, and draw what they learned (ARGS=\"--epochs 10\")"
	@echo "make test        style, types, documentation and tests; make test-all adds the long ones"
	@echo "make lint        style and types only"
	@echo "make docs-check  the examples in the documentation only"
	@echo "make pages       the reference pages of the operations, from the table"
	@echo "make format      lay out the code"
	@echo "make clean       remove $(VENV) and what tools leave behind"

demo: $(VENV)/installed-demo
	@$(BIN)/agnesi demo $(ARGS)

test: lint examples
	@echo "-- tests"
	@$(PYTEST) $(SPREAD) -m "not slow" tests

test-all: lint examples
	@echo "-- tests, the long ones too"
	@AGNESI_SLOW=1 $(PYTEST) $(SPREAD) tests

lint: $(VENV)/installed-test
	@echo "-- style"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check || { echo "make format lays the code out"; exit 1; }
	@echo "-- types"
	@$(BIN)/mypy src

# Those in docstrings; --pyargs finds the installed package, since the sources alone lack the extension.
examples: $(VENV)/installed-test
	@echo "-- examples"
	@$(PYTEST) --doctest-modules -c pyproject.toml --rootdir . --pyargs agnesi

docs-check: examples
	@$(PYTEST) tests/test_docs.py

pages: $(VENV)/installed-test
	@$(BIN)/python -m agnesi.tools.pages docs/ops

format: $(VENV)/installed-test
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

# Three steps, so that a change of the sources costs neither the network nor the other two.
$(VENV)/created:
	@echo "-- environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=...") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt install python3-venv"; exit 1; }
	@$(PIP) install "meson-python>=0.18" ninja "numpy>=2.0"
	@touch $@

$(VENV)/installed-demo: EXTRAS := demo
$(VENV)/installed-test: EXTRAS := demo,test
$(VENV)/installed-demo $(VENV)/installed-test: $(VENV)/created $(SOURCES)
	@echo "-- installation of agnesi[$(EXTRAS)]"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(PIP) install --no-build-isolation -Cbuild-dir=$(VENV)/build ".[$(EXTRAS)]"
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +
