# Every target makes what it needs of its own environment in .venv: only Python 3.11 or newer and make are
# needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test test-slow lint figures bench-accuracy bench-prior bench-sbc bench-speed clean

demo: $(VENV)/.core
	$(BIN)/veldist demo --out veldist_demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

# What takes minutes, and is not part of the others.
test-slow: $(VENV)/.test
	$(BIN)/python -m pytest -m slow

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

clean:
	rm -rf $(VENV) veldist_demo bench_results
