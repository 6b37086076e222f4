# make demo    train small models on built-in text and show the results table (sets everything up by itself)
# make test    run the tests (sets everything up by itself)
# make setup   only create .venv and install what is pinned in constraints.txt
# make check   ruff and mypy
# make clean   remove the demo's results and the caches; .venv stays
#
# PYTHON=...   the Python 3.11 or 3.12 to build .venv with (default: the first suitable one found)
# CORES=...    how many jobs the demo runs side by side (default: all processors)
# EXTRAS=gpu   also install Triton, for the tests of the GPU kernels (they need no GPU)
# TESTS=...    what to test, e.g. TESTS=tests/core or TESTS="-k resume"

SUITS := import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	"$$p" -c "$(SUITS)" >/dev/null 2>&1 && { echo "$$p"; exit; }; done; echo python3)
CORES ?= all
export EXTRAS
TESTS ?= -m "not slow and not network"
BIN := .venv/bin

.PHONY: help setup demo test check clean
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup:
	@"$(PYTHON)" scripts/bootstrap.py

demo: setup
	@$(BIN)/snakemake -s scripts/Snakefile --cores $(CORES) --config experiment=configs/demo.yaml
	@cat runs/demo/table8.md
	@echo "These results are in runs/demo/ (table8.md, .json, .csv, .png)."

test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile $(TESTS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:
	rm -rf runs/demo .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
