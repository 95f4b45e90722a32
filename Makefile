# Two commands for everybody: make demo, make test.  Both set up what they need in .venv first.
# The rest is for developers: make help.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
PYTEST := $(PY) -m pytest -q
# Tests of compiled kernels that stay quick without the compiler; the others say so and skip, or take minutes.
KERNEL_TESTS := tests/culture/test_random.py tests/neurons tests/network/test_run.py tests/cells/test_ramp.py \
  tests/cells/test_stream.py tests/copying/test_correlogram.py tests/copying/test_hollow.py tests/copying/test_detect.py

.PHONY: help demo test lint test-checked test-unchecked test-plain test-nojit test-random test-slow test-oldest lock clean

help:
	@echo "make demo           set up, then walk the whole way on the bundled recordings (report in demo-output/)"
	@echo "make test           set up, then everything that CI runs"
	@echo "make lint           style, types, imports"
	@echo "make test-checked   the tests under the shape and type checker"
	@echo "make test-unchecked the tests that are not run under it: of commands, processes, and our own messages"
	@echo "make test-plain     all tests without it, as users run the package"
	@echo "make test-nojit     the kernels' tests with numba switched off"
	@echo "make test-random    the tests of properties on cases that are drawn anew (make test always tries the same)"
	@echo "make test-slow      the tests marked slow"
	@echo "make test-oldest    the tests with the oldest versions that pyproject.toml allows (own environment)"
	@echo "make lock           write requirements/*.txt anew from pyproject.toml"
	@echo "make clean          remove environments and caches"

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "neurograft needs Python 3.11 to 3.14; $(PYTHON) is older. Say: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -r requirements/run.txt
	$(PIP) install -q --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	$(PIP) install -q -r requirements/dev.txt
	@touch $@

demo: $(VENV)/run.stamp
	$(PY) -m neurograft demo --out demo-output

test: lint test-checked test-unchecked test-nojit

lint: $(VENV)/dev.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/basedpyright
	$(VENV)/bin/lint-imports

test-checked: $(VENV)/dev.stamp
	$(PYTEST) -n 2 -m "not slow and not gpu"

test-unchecked: $(VENV)/dev.stamp
	NEUROGRAFT_PLAIN=1 $(PYTEST) -n 2 -m "(plain or process or command) and not slow and not gpu"

test-plain: $(VENV)/dev.stamp
	NEUROGRAFT_PLAIN=1 $(PYTEST) -n 2 -m "not slow and not gpu"

test-nojit: $(VENV)/dev.stamp
	NEUROGRAFT_PLAIN=1 NUMBA_DISABLE_JIT=1 $(PYTEST) -n 2 -m "not slow and not gpu" $(KERNEL_TESTS)

test-random: $(VENV)/dev.stamp
	HYPOTHESIS_PROFILE=default NEUROGRAFT_PLAIN=1 $(PYTEST) -n 2 -m "hypothesis and not slow and not gpu"

test-slow: $(VENV)/dev.stamp
	$(PYTEST) -m "slow" --durations=20

test-oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install -q uv
	.venv-oldest/bin/uv pip install -q --python .venv-oldest/bin/python --resolution lowest-direct --all-extras --group test -e .
	NEUROGRAFT_PLAIN=1 .venv-oldest/bin/python -m pytest -q -m "not slow and not gpu"

lock: $(VENV)/run.stamp
	$(PIP) install -q uv
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header --extra all --extra placement --extra md --extra dask --extra cloud --extra live --group test --group lint pyproject.toml -o requirements/dev.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-header --extra all -c requirements/dev.txt pyproject.toml -o requirements/run.txt

clean:
	rm -rf .venv .venv-oldest .pytest_cache .ruff_cache .hypothesis demo-output
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
