# Everything runs in the project's own .venv; a stamp under .make/ is remade when a dependency changes.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PYTEST_ARGS ?=
DATA ?= ../shared/data

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench constraints clean

help:
	@echo "make demo         the page on http://127.0.0.1:7860 (GRADIO_SERVER_PORT changes the port)"
	@echo "make test         the tests: no network, no GPU, no torch (PYTEST_ARGS='-k memory')"
	@echo "make .make/torch  torch for the checkpoint tests, where it is a CPU build"
	@echo "make check        format, lint, types, who may import whom"
	@echo "make bench        the figures of the README"
	@echo "make constraints  constraints.txt anew from pyproject.toml"
	@echo "make clean        remove the .venv and the caches"

# pip leaves nothing half done behind: a failed step removes its target.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or newer is needed; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "error: the venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }

.make/demo: EXTRAS := space,local,rehearse
.make/dev: EXTRAS := space,local,rehearse,serve,agreement,holdout,dev
.make/demo .make/dev: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "installing .[$(EXTRAS)] into $(VENV) ..."
	@$(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@mkdir -p .make && touch $@

demo: .make/demo
	@$(PY) -m hub_toolkit.cli.main models fetch \
	  || echo "no local model: the page works without it; run 'personamem models fetch' when there is a network"
	@$(PY) -m hub_toolkit.cli.main demo --rehearse

# The checkpoint tests need torch. Only a CPU build is ever installed: the plan is read before anything is downloaded.
.make/torch: .make/dev tests/torch-requirements.txt
	@$(PY) -m pip install -qq --disable-pip-version-check --ignore-installed --dry-run \
	  --report .make/torch-plan.json -r tests/torch-requirements.txt
	@! grep -qiE '"name": "(nvidia|cuda|triton)' .make/torch-plan.json \
	  || { echo "this registry's torch brings CUDA packages: not installed" >&2; exit 1; }
	@echo "installing torch (CPU), transformers, peft, accelerate into $(VENV) ..."
	@$(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt -r tests/torch-requirements.txt
	@touch $@

test: .make/dev
	@$(PY) -m pytest $(PYTEST_ARGS)

check: .make/dev
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@PYTHONPATH=spaces/personamem $(VENV)/bin/lint-imports

bench: .make/dev
	@echo "== build a memory: benchmarks/memory_build.py"
	@$(PY) benchmarks/memory_build.py
	@echo "== readers on PersonaMem-mini: benchmarks/mini_eval.py"
	@$(PY) benchmarks/mini_eval.py
	@echo "== layouts of the published size on a Hub (4 minutes): benchmarks/hub_layout.py"
	@$(PY) benchmarks/hub_layout.py
	@if command -v chromium >/dev/null 2>&1; then \
	  for name in page_paint page_board page_load; do \
	    echo "== the page: benchmarks/$$name.py"; $(PY) benchmarks/$$name.py || exit 1; \
	  done; \
	else echo "no chromium: benchmarks/page_*.py are left out"; fi
	@if [ -d "$(DATA)/personamem_evo" ]; then \
	  echo "== real history: benchmarks/memory_build.py"; \
	  $(PY) benchmarks/memory_build.py --history $(DATA)/personamem_evo/histories/*persona20.json || exit 1; \
	  for cap in 512 1024 2048; do \
	    echo "== real history: benchmarks/memory_recall.py --cap $$cap"; \
	    $(PY) benchmarks/memory_recall.py --history $(DATA)/personamem_evo/histories/*persona11.json \
	      --questions $(DATA)/personamem_evo/questions_persona11.jsonl --cap $$cap || exit 1; \
	  done; \
	else echo "no real data in $(DATA)/personamem_evo (make bench DATA=FOLDER): its figures are left out"; fi

constraints: $(VENV)/pyvenv.cfg
	@$(PY) -m pip install -qq --disable-pip-version-check uv
	@$(PY) -m uv pip compile pyproject.toml --universal --python-version 3.11 --upgrade \
	  --extra space --extra local --extra rehearse --extra serve --extra agreement --extra holdout --extra dev --no-annotate --quiet -o constraints.txt

clean:
	rm -rf $(VENV) .make .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
