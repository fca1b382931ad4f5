# The two commands of the README: `make quickstart` and `make test`. Both set up .venv when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test check format bench soak test-oldest audit sbom clean

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

# Every dependency at the lowest version that pyproject.toml allows (3 GB on Linux, most of it torch's CUDA libraries).
# Without ruff and mypy, and without the whole programs that tests mark e2e: OLDEST='' runs these too.
OLDEST ?= -m 'not e2e'
test-oldest:
	$(PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest --resolution lowest-direct --editable '.[dev]'
	.venv-oldest/bin/python -m pytest -q -n 2 --dist loadgroup -p no:cacheprovider $(OLDEST)

# Known weaknesses of what is installed; asks PyPI, so it is not part of `make test`. The tool has a place of its own.
audit: .venv/.installed .venv-audit/.installed
	.venv-audit/bin/pip-audit --skip-editable --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# The bill of materials: sbom.json lists every package that is installed, in CycloneDX's form.
sbom: .venv/.installed .venv-audit/.installed
	.venv-audit/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.json $(BIN)/python

.venv-audit/.installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit cyclonedx-bom
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-audit sbom.json build dist *.egg-info quickstart
