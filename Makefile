# make demo   install, then search, retrain and report on brains made from an atlas
# make test   install, then the tests
# make check  install, then ruff, mypy and import-linter
# make bench  install, then the benchmarks

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench install
.NOTPARALLEL:

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/python -m study.search --space demo
	$(BIN)/python -m core.train --best runs/demo
	$(BIN)/python -m study.report runs/demo

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m pytest tests/benchmarks/bench_*.py --benchmark-only -p no:cacheprovider -q
