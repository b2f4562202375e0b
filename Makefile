# Every target makes what it needs of its own environment in .venv: only Python 3.11 or newer and make are
# needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Environments of the two tests of versions: that of `make test-python PYTHON=python3.13` is .venv-3.13.
LOWEST := .venv-lowest
PYTHON_VERSION := $(patsubst python%,%,$(notdir $(PYTHON)))
OTHER := .venv-$(PYTHON_VERSION)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test test-slow test-lowest test-python lint figures bench-accuracy bench-prior bench-sbc bench-speed clean

demo: $(VENV)/.core
	$(BIN)/veldist demo --out veldist_demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

# What takes minutes, and is not part of the others.
test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

# The tests on Python 3.11 and the lowest versions that pyproject.toml allows.
test-lowest: $(LOWEST)/.test
	$(LOWEST)/bin/python -m pytest -n auto -W ignore::DeprecationWarning

# The tests on another Python, with the newest versions: make test-python PYTHON=python3.13
test-python: $(OTHER)/.test
	$(OTHER)/bin/python -m pytest -n auto

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python $(VENV)
	$(BIN)/lint-imports

# The pictures of the documentation.
figures: $(VENV)/.core
	$(BIN)/python docs/make_figures

# Results lie in bench_results; `python -m benchmarks` lists all benchmarks.
bench-accuracy bench-sbc: bench-%: $(VENV)/.bench
	$(BIN)/python -m benchmarks $*

bench-prior: $(VENV)/.bench
	$(BIN)/python -m benchmarks prior_contest

bench-speed: $(VENV)/.bench
	$(BIN)/python -m benchmarks speed
	$(BIN)/python -m benchmarks map_stages
	$(BIN)/python -m benchmarks nuts

$(VENV)/.core: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(VENV)/.%: $(VENV)/.core
	$(INSTALL) ".[$*]"
	touch $@

# Made anew when pyproject.toml changes: what is installed already would be kept, even if it is not the lowest.
$(LOWEST)/.test: pyproject.toml
	PYENV_VERSION=3.11 python3.11 -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct --editable ".[test]"
	touch $@

# Where Pythons come from pyenv, python3.13 runs only if PYENV_VERSION names it; elsewhere that is ignored.
$(OTHER)/.test: pyproject.toml
	PYENV_VERSION=$(PYTHON_VERSION) $(PYTHON) -m venv --clear $(OTHER)
	$(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

clean:
	rm -rf $(VENV) .venv-* veldist_demo bench_results
