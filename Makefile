# Two commands matter: `make run` opens the app, `make test` tests everything. Each sets itself up in .venv first.
# Paths below are relative, so a checkout whose folder has spaces in its name works too.

.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
PRESET ?= mobilenet_v2
OUT ?= runs/$(PRESET)
MODEL ?= dermascan
PYTEST_ARGS ?=

# Without bytecode TensorFlow's import takes 5.8 s instead of 1.8 s, in every process.
unexport PYTHONDONTWRITEBYTECODE
export TF_CPP_MIN_LOG_LEVEL ?= 2

# A .venv whose Python was removed or upgraded away is made anew.
ifneq ($(shell test -e $(VENV)/pyvenv.cfg && ! $(PY) -c "" 2>/dev/null && echo broken),)
.PHONY: $(VENV)/pyvenv.cfg
endif

.PHONY: help run test check train figures bench nightly browser postgres clean

help: ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile

run: $(VENV)/run.stamp ## Open the app (installs the pinned requirements first)
	$(PY) -m streamlit run streamlit_app.py

test: $(VENV)/test.stamp browser postgres ## Lint, types and every test but the slow ones
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
ifeq ($(PYTEST_ARGS),)
	$(PY) -m pytest --durations=10 -n 2 --dist loadfile -m "not slow and not browser"
# Alone: beside tests that compute, two of them were seen to fail. By folder: to find them among all takes most of a minute.
	$(PY) -m pytest --durations=10 -m "browser and not slow" tests/browser
else
	$(PY) -m pytest --durations=10 $(PYTEST_ARGS)
endif

check: $(VENV)/test.stamp ## Lint and types only
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

nightly: $(VENV)/test.stamp $(VENV)/parallel.stamp browser postgres ## The slow tests
	$(PY) -m pytest --durations=10 -m "slow or parallel" $(PYTEST_ARGS)

train: $(VENV)/train.stamp ## Train PRESET on $$DERMASCAN_DATA/ham10000 into OUT; goes on where a run was stopped
	@test -f "$$DERMASCAN_DATA/ham10000/metadata.csv" || { \
	  echo "Expected the environment variable DERMASCAN_DATA to name a folder that holds ham10000/metadata.csv."; \
	  echo "Received '$$DERMASCAN_DATA'. Make the data set with: $(PY) -m dermascan_core data import ham10000 --help"; \
	  exit 1; }
	$(PY) -m dermascan_core train $(PRESET) --data "$$DERMASCAN_DATA/ham10000" --out "$(OUT)" \
	  $$(test -f "$(OUT)/run.json" && echo --resume)

SCAN = $(PY) -m dermascan_core
FIGURES = weights/$(MODEL).evaluation
# The pages are of the model that answers by default; another one gets its figures and a card of its own.
IS_DEFAULT = $(filter dermascan,$(MODEL))
PAGE = $(if $(IS_DEFAULT),--page docs/$(1).md)
CARD = docs/model-card$(if $(IS_DEFAULT),,-$(subst _,-,$(MODEL))).md
DATA = --data "$$DERMASCAN_DATA/ham10000" --data "$$DERMASCAN_DATA/pad"
VALIDATED = --images "$$DERMASCAN_DATA/ham10000/images" --labels "$$DERMASCAN_DATA/ham10000/metadata.csv" --split train --fold 0
OTHERS = --external "$$DERMASCAN_DATA/isic_uda1" --external "$$DERMASCAN_DATA/isic2020_patients"
PEOPLE = --images "$$DERMASCAN_DATA/isic2020_patients/images" --labels "$$DERMASCAN_DATA/isic2020_patients/metadata.csv"

figures: $(VENV)/train.stamp ## Measure MODEL again on $$DERMASCAN_DATA: weights/MODEL.evaluation and its card; of the default model every page
	@for name in ham10000 pad isic_uda1 isic2020_patients; do \
	  test -f "$$DERMASCAN_DATA/$$name/metadata.csv" || { \
	    echo "Expected the environment variable DERMASCAN_DATA to name a folder that holds $$name/metadata.csv."; \
	    echo "Received '$$DERMASCAN_DATA'. What the folders hold and how they are made: docs/data.md"; exit 1; }; \
	done
	$(SCAN) gate $(MODEL) $(DATA)
	$(SCAN) publish $(MODEL) $(DATA) $(OTHERS) --card $(CARD)
	$(if $(IS_DEFAULT),$(SCAN) publish nasnet_mobile $(DATA) $(OTHERS) --card docs/model-card-nasnet-mobile.md)
	$(SCAN) export $(MODEL) --format litert --data "$$DERMASCAN_DATA/ham10000"
	$(SCAN) repeatability $(MODEL) $(VALIDATED) --limit 400 --out $(FIGURES)/repeatability
	$(SCAN) stress --model $(MODEL) --images "$$DERMASCAN_DATA/ham10000/images" --labels "$$DERMASCAN_DATA/ham10000/metadata.csv" \
	  --split test --limit 300 --out $(FIGURES)/stress
	$(SCAN) refusals $(MODEL) $(DATA) --out $(FIGURES)/refusals $(call PAGE,refusals)
	$(SCAN) adversarial $(MODEL) $(VALIDATED) --limit 24 --out $(FIGURES)/adversarial $(call PAGE,adversarial)
	$(SCAN) ugly-duckling --model $(MODEL) $(PEOPLE) --out $(FIGURES)/ugly-duckling $(call PAGE,ugly-duckling)
	$(SCAN) compress $(MODEL) --data "$$DERMASCAN_DATA/ham10000" --limit 300 --out $(FIGURES)/compression $(call PAGE,compression)
	$(SCAN) comparison --out docs/comparison.md

bench: $(VENV)/test.stamp ## Measure speed: each file of benchmarks/ prints its table
	@for file in benchmarks/[a-z]*.py; do \
	  echo "== $$file"; $(PY) -m "benchmarks.$$(basename "$$file" .py)" || exit 1; \
	done

browser: # A Chromium for the tests that click through the app; without one those tests say that they were skipped.
	@for name in chromium chromium-browser google-chrome; do \
	  if command -v $$name >/dev/null 2>&1; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root="sudo -n"; fi; \
	if command -v apt-get >/dev/null 2>&1 && $$as_root apt-get update -qq && \
	   $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	then exit 0; fi; \
	echo "*** No Chromium on this machine, and it could not be installed: the browser tests WILL BE SKIPPED."; \
	echo "*** Install it (Debian: apt-get install chromium), then run make test again."

postgres: # A PostgreSQL for the tests of records, which start one of their own; the system's is neither made nor started.
	@for programs in /usr/lib/postgresql/*/bin/initdb; do if [ -x "$$programs" ]; then exit 0; fi; done; \
	if command -v initdb >/dev/null 2>&1; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=""; else as_root="sudo -n"; fi; \
	settings=/etc/postgresql-common/createcluster.d; ours=$$settings/dermascan-tests.conf; \
	if command -v apt-get >/dev/null 2>&1 && $$as_root apt-get update -qq && $$as_root mkdir -p $$settings && \
	   echo "create_main_cluster = false" | $$as_root tee $$ours >/dev/null; then \
	  $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; \
	  done=$$?; $$as_root rm -f $$ours; \
	  if [ $$done = 0 ]; then exit 0; fi; \
	fi; \
	echo "*** No PostgreSQL on this machine, and it could not be installed: its tests WILL BE SKIPPED."; \
	echo "*** Install it (Debian: apt-get install postgresql), then run make test again."

clean: ## Remove .venv and everything that tests and tools leave behind; runs/ and data/ stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path "./$(VENV)/*" -prune -exec rm -rf {} +

# Which Python: the first of these that is 3.11 or 3.12 (TensorFlow 2.21 with these pins was measured on 3.11).
$(VENV)/pyvenv.cfg:
	@for candidate in "$(PYTHON)" python3.11 python3.12 python3 python; do \
	  if [ -n "$$candidate" ] && "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	    >/dev/null 2>&1; then found="$$candidate"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "DermaScan needs Python 3.11 or 3.12. Found: $$(python3 --version 2>&1 || echo no Python 3)."; \
	  echo "Install one of them (Debian: apt-get install python3 python3-venv), or name it: make run PYTHON=/path/to/python3.12"; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$found" --version)."; \
	"$$found" -m venv --clear $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "This Python cannot make a virtual environment. Debian and Ubuntu: apt-get install python3-venv"; \
	  exit 1; }

$(VENV)/run.stamp: requirements.txt $(VENV)/pyvenv.cfg
	@echo "Installing the pinned requirements into $(VENV): 2.3 GB on disk, a few minutes, once."
	$(PIP) install --quiet -r requirements.txt
	@# Some packages ship templates that are not Python; what can be compiled is.
	-@$(PY) -m compileall -qq -j 0 $(VENV)/lib dermascan_core pages streamlit_app.py
	@touch $@

$(VENV)/train.stamp: requirements-train.txt $(VENV)/run.stamp
	$(PIP) install --quiet -r requirements-train.txt
	@touch $@

# Apart from the tests' own: JAX is 380 MB, and once it is there, every process that imports Keras loads it.
$(VENV)/parallel.stamp: requirements-parallel.txt $(VENV)/run.stamp
	$(PIP) install --quiet -r requirements-parallel.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt requirements-train.txt requirements-engines.txt requirements-cluster.txt requirements-postgres.txt \
  $(VENV)/run.stamp
	$(PIP) install --quiet -r requirements-dev.txt
	-@$(PY) -m compileall -qq -j 0 $(VENV)/lib
	@touch $@
