# Every target makes what it needs of its own environment in .venv: only Python 3.11 or newer and make are
# needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test lint clean

demo: $(VENV)/.core
	$(BIN)/veldist demo --out veldist_demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python $(VENV)

$(VENV)/.core: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(VENV)/.%: $(VENV)/.core
	$(INSTALL) ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) veldist_demo
