PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint kernel nightly bench clean

# Translate a shipped EKS node, rule beside rule, and load it where nft is there.
demo: $(VENV)/installed
	$(BIN)/python docs/demo/demo.py

# Everything: style, types, tests; kernel tests where this machine can run them.
test: $(VENV)/installed-dev lint
	$(BIN)/pytest -q -n auto

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests that send packets through the kernel, with five times as many of them: a million.
kernel: $(VENV)/installed-dev
	VPCCNI_NFT_PACKETS_TIMES=5 $(BIN)/pytest -q -n auto tests/kernel

# The property tests with many more examples.
nightly: $(VENV)/installed-dev
	HYPOTHESIS_PROFILE=nightly $(BIN)/pytest -q -n auto

# All benchmarks, written to docs/benchmarks.md; needs root, nft and iptables.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.report

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-bench: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
