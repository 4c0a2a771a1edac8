# make demo   install, then search, retrain and report on brains made from an atlas
# make test   install, then the tests
# make check  install, then ruff, mypy and import-linter
# make bench  install, then the benchmarks

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench install develop
.NOTPARALLEL:

install: .venv/installed

develop: .venv/developed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/developed: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/python -m study.search --space demo
	$(BIN)/python -m core.train --best runs/demo
	$(BIN)/python -m study.report runs/demo

test: develop
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: develop
	$(BIN)/python -m pytest tests/benchmarks/bench_*.py --benchmark-only -p no:cacheprovider -q
