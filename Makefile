# Every target sets up .venv by itself. Needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test coverage lint docs notebook bench newcomer format clean

help:
	@echo "make demo    synthesize data, search, evaluate and predict: runs/demo"
	@echo "make test    lint, type check and tests"
	@echo "make coverage  which lines and branches the tests run: build/coverage"
	@echo "make docs    the documentation as pages: build/site"
	@echo "make notebook  runs notebooks/walkthrough.ipynb: build/walkthrough.html"
	@echo "make newcomer  every command of README.md in a fresh clone, as somebody who has nothing"
	@echo "make bench   every benchmark in less than an hour: docs/results/benchmarks.md"
	@echo "make format  format the code"
	@echo "make clean   remove .venv and caches"

setup: $(READY)

$(READY): requirements.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(BIN)/python -c 'import cv2' || \
		{ echo "OpenCV needs system libraries; on Debian: apt-get install libgl1 libxcb1"; exit 2; }
	touch $(READY)

demo: $(READY)
	$(BIN)/dfsearch demo runs/demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Two processes of one thread each; the one that is done first takes over tests of the other.
PYTEST := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20 --durations-min=60

test: lint
	$(PYTEST)

# Worker processes end, and tell what they ran, after the tests.
coverage: $(READY)
	mkdir -p build/coverage
	$(BIN)/coverage erase
	-$(PYTEST) --cov --cov-report=
	$(BIN)/coverage combine --quiet --append
	$(BIN)/coverage report
	$(BIN)/coverage html --quiet
	$(BIN)/coverage json --quiet
	@$(BIN)/python -c 'import json; \
		totals = json.load(open("build/coverage/coverage.json"))["totals"]; \
		print("lines {percent_statements_covered:.1f}%".format(**totals)); \
		print("branches {percent_branches_covered:.1f}%".format(**totals))'
	@echo build/coverage/index.html

docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo build/site/index.html

notebook: $(READY)
	mkdir -p build
	$(BIN)/jupyter-nbconvert --execute --to html --log-level WARN \
		--template page --TemplateExporter.extra_template_basedirs=notebooks \
		--ExecutePreprocessor.extra_arguments=--log-level=40 \
		--output-dir build notebooks/walkthrough.ipynb
	@echo build/walkthrough.html

# Sets up a place of its own. Of PYTHON it takes what was asked for, not the default above.
newcomer:
	$(PYTHON) scripts/newcomer $(if $(filter-out file,$(origin PYTHON)),--python $(PYTHON))

# QUICK=1 shows that every bench runs, FRESH=1 measures again what is kept, ONLY=storage,search.
bench: $(READY)
	$(BIN)/python -m bench.suite $(if $(QUICK),--quick) $(if $(FRESH),--fresh) $(if $(ONLY),--only $(ONLY))

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
