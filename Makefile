# Every target makes the .venv it needs. PYTHON=python3.12 chooses the interpreter (>= 3.10).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name CMakeLists.txt)
OUT ?= out/creature

.PHONY: demo test test-all lint bench bench-reconstruct bench-pose clean

demo: $(VENV)/.run
	$(BIN)/renderer reconstruct scenes/creature --out $(OUT) --overwrite

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow and not cuda"

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python -m tests.bench.run

bench-reconstruct: $(VENV)/.dev
	$(BIN)/python -m tests.bench.reconstruct

bench-pose: $(VENV)/.dev
	$(BIN)/python -m tests.bench.pose

# What the command line needs.
$(VENV)/.run: $(VENV)/.created pyproject.toml constraints.txt $(SOURCES)
	$(PIP) install --constraint constraints.txt --editable '.[tasks]'
	touch $@

# ... and what developers need besides.
$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt $(SOURCES)
	$(PIP) install --constraint constraints.txt --editable '.[tasks,dev]'
	touch $@ $(VENV)/.run

# ... and the other renderers that benchmarks measure beside this one.
$(VENV)/.bench: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --editable '.[tasks,dev,bench]'
	touch $@

$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit("Python >= 3.10 needed, this is " + sys.version) if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	touch $@

clean:
	rm -rf $(VENV) build dist
