PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Tests with packets wait for the kernel half of the time: three workers for two processors. Each
# takes a stretch of the tests, so that what a file keeps for all of its tests is made once.
WORKERS = $$(expr $$(getconf _NPROCESSORS_ONLN) \* 3 / 2)
PYTEST = $(BIN)/pytest -q -n $(WORKERS) --dist worksteal --durations=10

# The tests start this program hundreds of times: from source it takes a second longer each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test pytest lint kernel nightly bench site clean

# Translate a shipped EKS node, rule beside rule, and load it where nft is there.
demo: $(VENV)/installed
	$(BIN)/python docs/demo/demo.py

# Everything: style, types, tests; kernel tests where this machine can run them.
test: $(VENV)/installed-dev
	$(MAKE) --no-print-directory --jobs=2 lint pytest

pytest: $(VENV)/installed-dev
	$(PYTEST)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The tests that send packets through the kernel, with many times as many of them: a million.
kernel: $(VENV)/installed-dev
	VPCCNI_NFT_PACKETS_TIMES=7 $(PYTEST) tests/kernel

# All tests, with many more examples, with every mutant in every layer, and with the longest inputs.
nightly: $(VENV)/installed-dev
	HYPOTHESIS_PROFILE=nightly $(PYTEST)

# All benchmarks, written to docs/benchmarks.md; needs root, nft and iptables.
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.report

# The documentation as a site, in build/site; a warning is an error.
site: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

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
