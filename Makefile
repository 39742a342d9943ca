# Every target sets up .venv by itself. Needs Python 3.11, 3.12 or 3.13 and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.ready-for-docs
# Python compiles the modules that are used; compiling all of them takes a minute.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: help setup demo test test-all fast-tests all-tests coverage lint types docs notebook bench \
	pictures newcomer format clean

help:
	@echo "make demo    synthesize data, search, evaluate and predict: runs/demo"
	@echo "make test    lint, type check and the tests of every change"
	@echo "make test-all  lint, type check, every test, docs, notebook and newcomer: for a release"
	@echo "make coverage  which lines and branches the tests run: build/coverage"
	@echo "make docs    the documentation as pages: build/site"
	@echo "make notebook  runs notebooks/walkthrough.ipynb: build/walkthrough.html"
	@echo "make newcomer  every command of README.md in a fresh clone and an empty environment"
	@echo "make bench   every benchmark in less than an hour: docs/results/benchmarks.md"
	@echo "make pictures  the pictures of README.md, from the demo: docs/images"
	@echo "make format  format the code"
	@echo "make clean   remove .venv and caches"

setup: $(READY)

$(READY): requirements.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --requirement requirements.txt
	$(PIP) --no-deps --editable .
	@$(BIN)/python -c 'import cv2' || \
		{ echo "OpenCV needs system libraries; on Debian: apt-get install libgl1 libxcb1"; exit 2; }
	touch $(READY)

demo: $(READY)
	$(BIN)/dfsearch demo runs/demo

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# Two processes of one thread each; the one that is done first takes over tests of the other.
PYTEST := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 \
	$(BIN)/python -m pytest -n 2 --dist worksteal

fast-tests: $(READY)
	$(PYTEST) -m "not slow and not minutes"

all-tests: $(READY)
	$(PYTEST)

# Both print the seconds of each part.
test: $(READY)
	@scripts/parts "make lint" "make types" "make fast-tests"

test-all: $(READY)
	@scripts/parts "make lint" "make types" "make all-tests" "make notebook" "make docs" "make newcomer"

# Worker processes end after the tests, and only then write the lines that they ran.
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

$(DOCS_READY): $(READY) docs/requirements.txt
	$(PIP) --requirement docs/requirements.txt
	touch $(DOCS_READY)

docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo build/site/index.html

notebook: $(READY)
	mkdir -p build
	$(BIN)/jupyter-nbconvert --execute --to html --log-level WARN \
		--template page --TemplateExporter.extra_template_basedirs=notebooks \
		--ExecutePreprocessor.extra_arguments=--log-level=40 \
		--output-dir build notebooks/walkthrough.ipynb
	@echo build/walkthrough.html

# Sets up an environment of its own, with PYTHON only if the caller sets it. QUICK=1 uses .venv and
# leaves out the steps that set up or train.
newcomer: $(if $(QUICK),$(READY))
	$(if $(QUICK),$(BIN)/python,$(PYTHON)) scripts/newcomer $(if $(QUICK),--quick) \
		$(if $(filter-out file,$(origin PYTHON)),--python $(PYTHON))

# QUICK=1 shows that every bench runs, FRESH=1 measures again what is kept, ONLY=storage,search.
bench: $(READY)
	$(BIN)/python -m bench.suite $(if $(QUICK),--quick) $(if $(FRESH),--fresh) $(if $(ONLY),--only $(ONLY))

# A finished demo is not trained again.
pictures: demo
	$(BIN)/python scripts/pictures.py runs/demo

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
