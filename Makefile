# One verb per job, the same for people and for CI. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: help demo test test-slow lint format types contracts unit examples experiments docs integrations notebooks screenshots bench clean

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $(READY)

demo: $(READY)  ## install, then explain a digit: fit, why, verify, report
	$(BIN)/clusterexplain demo

test: lint types contracts unit experiments  ## everything that CI checks
	@$(MAKE) --no-print-directory -j 2 --output-sync=target docs examples
	@echo "all checks passed"

lint: $(READY)  ## ruff: lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## rewrite in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy
	$(BIN)/mypy

contracts: $(READY)  ## import-linter: imports point down only
	$(BIN)/lint-imports

unit: $(READY)  ## pytest and doctests on two cores, without the slow proofs
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(READY)  ## the slow proofs
	$(BIN)/pytest -m slow

examples: $(READY)  ## run every example script
	@for script in examples/*.py; do echo "$$script"; $(BIN)/python -W error::UserWarning:clusterexplain $$script || exit 1; done

experiments: $(READY)  ## the experiments of `clusterexplain reproduce`, each in its quick version
	@printf '%s\n' fragility mog weat | xargs -P 2 -I@ sh -c \
	  '$(BIN)/clusterexplain reproduce @ --quick --quiet --jobs 1 --out "$$(mktemp -d)" > /dev/null && echo "reproduce @"'

docs: $(READY)  ## build the documentation, warnings are errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

integrations: $(READY)  ## blocks of the documentation that need heavy packages, each in an environment of its own under build/
	$(BIN)/python tests/integrations/bertopic_topics.py

notebooks: $(READY)  ## run the notebooks whose output is stored; the single cells need anndata and scanpy
	$(BIN)/python docs/stored_notebooks.py

screenshots: $(READY)  ## photograph a page for README and docs, with chromium
	$(BIN)/python docs/screenshots.py

bench: $(READY)  ## print the ratios of the benchmarks
	$(BIN)/python tests/benchmarks/bench_core.py
	$(BIN)/python -m tests.benchmarks.bench_models
	$(BIN)/python -m tests.benchmarks.bench_reports

clean:  ## remove what the verbs made
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache
