#!/usr/bin/env bash
# The CUDA kernels under sanitizers. Without arguments: their emulation on the CPU, under AddressSanitizer and UndefinedBehaviorSanitizer, every
# op forward and backward (arguments are handed to pytest; tests/cuda in their place runs all tests of the kernels).
# With `device`: on a GPU, under compute-sanitizer's memcheck and racecheck. PYTHON is the interpreter that has the development packages.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-.venv/bin/python}
interpreter=$(realpath -s "$(command -v "$python")")

if [ "${1:-}" = device ]; then
  "$python" -c "import torch, renderer._cuda; assert torch.cuda.is_available(), 'no GPU'"  # or all tests would be skipped
  export PYTORCH_NO_CUDA_MEMORY_CACHING=1  # a tensor is an allocation of its own, whose end memcheck sees
  for tool in memcheck racecheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 1 "$python" -m pytest -m cuda tests/cuda/test_device.py -k "not gradcheck and not graph"
  done
  exit
fi

# A package of its own: the Python files of this one, the CPU kernels as they are installed, and the CUDA kernels with sanitizers.
build=build/sanitize
cmake -S csrc -B "$build/native" -G Ninja -DPython_EXECUTABLE="$(command -v "$python")" \
  -Dnanobind_DIR="$("$python" -m nanobind --cmake_dir)" -DRENDERER_SANITIZE=ON -DRENDERER_CUDA=OFF -DRENDERER_CUDA_EMULATION=ON
cmake --build "$build/native" --target _cuda_emulated ${JOBS:+-j "$JOBS"}
installed=$("$python" -c "import renderer._C as module; print(module.__file__)")
rm -rf "$build/site"
mkdir -p "$build/site"
cp -r renderer tests pyproject.toml "$build/site/"
rm -f "$build"/site/renderer/*.so
cp "$installed" "$build"/native/_cuda_emulated*.so "$build/site/renderer/"
cd "$build/site"
# Python itself leaks by design; two C++ runtimes meet where torch and the modules throw.
export ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export LD_PRELOAD="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)"
# -S: without the hook of an editable install, which would put the modules without sanitizers in the place of these.
packages=$("$interpreter" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
export PYTHONPATH="$PWD:$packages"
"$interpreter" -S -c "import os, renderer._cuda_emulated as m; assert m.__file__.startswith(os.getcwd()), m.__file__"
# One order of the threads will do: what another one would change shows without sanitizers.
"$interpreter" -S -m pytest -p no:cacheprovider "${@:-tests/cuda/test_every_op.py}" -m "not cuda" -k "not reverse"
