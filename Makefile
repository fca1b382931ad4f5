# The two commands of the README: `make quickstart` and `make test`. Both set up .venv when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test check format bench soak clean

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

quickstart: .venv/.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" examples/quickstart.sh

test: .venv/.installed check
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup

check: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.installed
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m tests.bench

soak: .venv/.installed
	$(BIN)/python -m tests.soak

clean:
	rm -rf .venv build dist *.egg-info quickstart
