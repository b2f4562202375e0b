# Every target makes what it needs of its own environment in .venv: only Python 3.11 or newer and make are
# needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable

.PHONY: demo test lint figures bench-accuracy bench-prior bench-sbc bench-speed clean

demo: $(VENV)/.core
	$(BIN)/veldist demo --out veldist_demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.test $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/ty check --python $(VENV)
	$(BIN)/lint-imports

# The pictures of the documentation.
figures: $(VENV)/.core
	$(BIN)/python docs/make_figures

# One BLAS thread for each of the worker processes.
bench-%: export OMP_NUM_THREADS := 1

bench-accuracy: $(VENV)/.bench
	$(BIN)/python benchmarks/accuracy.py --out bench_accuracy

bench-prior: $(VENV)/.bench
	$(BIN)/python benchmarks/prior_contest.py --out bench_accuracy

bench-sbc: $(VENV)/.core
	$(BIN)/python benchmarks/sbc.py --out bench_sbc

bench-speed: $(VENV)/.bench
	$(BIN)/python benchmarks/speed.py --out bench_speed

$(VENV)/.core: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(VENV)/.%: $(VENV)/.core
	$(INSTALL) ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) veldist_demo bench_accuracy bench_sbc bench_speed
