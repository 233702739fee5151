# Every target makes the .venv it needs. PYTHON=python3.12 chooses the interpreter (>= 3.10).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SOURCES := $(shell find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name CMakeLists.txt)
OUT ?= out/creature
# ON or AUTO builds the CUDA kernels, too, for all architectures or those of RENDERER_CUDA_ARCHITECTURES: minutes, where nvcc is.
export RENDERER_CUDA ?= OFF
# The CUDA kernels run in the tests without a GPU: see csrc/support/cuda.h.
EMULATION := -C cmake.define.RENDERER_CUDA_EMULATION=ON

# `make notebooks WRITE=1` keeps what they print and draw.
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)

.PHONY: demo test test-all notebooks lint bench bench-reconstruct bench-sort bench-strategies bench-pose bench-shape bench-cuda cuda-library test-cuda-sanitized clean

demo: $(VENV)/.run
	$(BIN)/renderer reconstruct scenes/creature --out $(OUT) --overwrite

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow and not cuda"

test-all: $(VENV)/.dev
	$(BIN)/python -m pytest

notebooks: $(VENV)/.dev
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 $(if $(WRITE),--overwrite) --durations=0 $(NOTEBOOKS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench
	$(BIN)/python -m tests.bench.run

bench-reconstruct: $(VENV)/.dev
	$(BIN)/python -m tests.bench.reconstruct

# DATA: a folder with MNIST's four files.
bench-strategies: $(VENV)/.dev
	$(BIN)/python -m tests.bench.strategies $(DATA)

bench-sort: $(VENV)/.dev
	$(BIN)/python -m tests.bench.sort

# On a machine with a GPU and nvcc.
bench-cuda: $(VENV)/.created
	RENDERER_CUDA=ON RENDERER_CUDA_ARCHITECTURES=$(or $(RENDERER_CUDA_ARCHITECTURES),native) $(PIP) install --constraint constraints.txt --editable '.[tasks,dev]' $(EMULATION)
	$(BIN)/python -m tests.bench.cuda

# The CUDA library as a build makes it, for all architectures (or RENDERER_CUDA_ARCHITECTURES), warnings being errors; it must import without
# a GPU or a driver. Needs nvcc.
cuda-library: $(VENV)/.dev
	$(PIP) install cmake ninja nanobind
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake -S csrc -B build/cuda -G Ninja -DPython_EXECUTABLE="$(CURDIR)/$(BIN)/python" \
		-Dnanobind_DIR="$$($(BIN)/python -m nanobind --cmake_dir)" -DRENDERER_CUDA=ON -DRENDERER_CUDA_WERROR=ON \
		-DRENDERER_CUDA_ARCHITECTURES="$(RENDERER_CUDA_ARCHITECTURES)"
	PATH="$(CURDIR)/$(BIN):$$PATH" cmake --build build/cuda --target _cuda
	cd build/cuda && $(CURDIR)/$(BIN)/python -c "import _cuda; print(_cuda.__file__)"

# The CUDA kernels' emulation under sanitizers; tests/cuda/sanitize.sh device does the like on a GPU.
test-cuda-sanitized: $(VENV)/.dev
	$(PIP) install cmake ninja nanobind
	PATH="$(CURDIR)/$(BIN):$$PATH" tests/cuda/sanitize.sh

bench-pose: $(VENV)/.dev
	$(BIN)/python -m tests.bench.pose

# The published sweep is a matter of hours; ARGS="--distributions logistic --taus 1e-4" does a part of it.
bench-shape: $(VENV)/.dev
	$(BIN)/python -m tests.bench.shape_protocol $(ARGS)

# What the command line needs.
$(VENV)/.run: $(VENV)/.created pyproject.toml constraints.txt $(SOURCES)
	$(PIP) install --constraint constraints.txt --editable '.[tasks]'
	touch $@

# ... and what developers need besides.
$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt $(SOURCES)
	$(PIP) install --constraint constraints.txt --editable '.[tasks,dev]' $(EMULATION)
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
