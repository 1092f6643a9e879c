# `make demo` and `make test` work from a bare clone; `make help` lists the rest.
# Another Python: make demo PYTHON=python3.13
# The documentation with a page that segments nuclei, in site/try: make docs RUNTIME=onnxruntime-web-1.30.0.tgz

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test lint coverage docs slow nightly reproduce-smoke format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo     train, evaluate and predict on sample images of nuclei; writes a report (minutes)"
	@echo "make test     the fast tests (minutes)"
	@echo "make lint     style and types"
	@echo "make coverage the fast tests with the share of lines that they run"
	@echo "make docs     the documentation as a site in site/; fails on a broken link (a minute)"
	@echo "make slow     the slow tests: end to end, several processes, every size (minutes)"
	@echo "make nightly  all tests, the longest too, and ten times the random examples"
	@echo "make reproduce-smoke  all steps of 'tmunet reproduce' on the sample images (minutes)"
	@echo "make format   put the code into the project's form"
	@echo "make clean    remove the virtual environment; runs stay"

demo: $(VENV)/.demo
	@$(BIN)/tmunet demo

test: $(VENV)/.test
	@$(BIN)/python -m pytest --quiet --numprocesses auto --dist worksteal

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

coverage: $(VENV)/.test
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest --quiet --numprocesses auto --dist worksteal
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

docs: $(VENV)/.docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@if [ -n "$(RUNTIME)" ]; then $(PIP) --editable '.[onnx]' && \
	  $(BIN)/tmunet export src/tmunet/models/nuclei-t --format web --runtime "$(RUNTIME)" --out site/try; fi

slow: $(VENV)/.test
	@$(BIN)/python -m pytest --quiet -m slow --numprocesses auto --dist worksteal

nightly: $(VENV)/.test
	@HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest --quiet -m "" --numprocesses auto --dist worksteal

reproduce-smoke: $(VENV)/.demo
	@$(BIN)/tmunet reproduce table1 --plan smoke --data src/tmunet --runs runs/reproduce-smoke --out runs/reproduce-smoke/pages

format: $(VENV)/.test
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tmunet needs Python 3.11 or newer, but '$(PYTHON)' is older or missing. Name one: make demo PYTHON=python3.12"; exit 2; }
	@echo "Creating the virtual environment $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# torch comes first: what is installed later then keeps the build that was chosen here
$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	@echo "Installing torch (the largest part; once) ..."
	@$(PIP) torch
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.torch
	@echo "Installing tmunet and what the demo needs ..."
	@$(PIP) --editable '.[train]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.torch
	@echo "Installing tmunet with all extras and the test tools ..."
	@$(PIP) --editable '.[all,dev]'
	@touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml $(VENV)/.torch
	@echo "Installing tmunet and what builds the documentation ..."
	@$(PIP) --editable '.[docs]'
	@touch $@
