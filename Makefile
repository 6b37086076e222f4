# make demo    train small models on built-in text, show the results table, write the report (sets everything up by itself)
# make test    run the tests (sets everything up by itself)
# make setup   only create .venv and install what is pinned in constraints.txt
# make check   ruff and mypy
# make clean   remove the demo's results and the caches; .venv stays
#
# make copying_small, copying_short_small, copying_ablations_small, adding_small, programs_small, memorisation_small,
#      nth_farthest_small, wikitext2_small    the experiments of results/, each with its table: minutes to an hour
# make copying, copying_ablations, adding, adding_long, programs, memorisation, nth_farthest, wikitext2, wikitext103
#                                             the same with the updates of the papers, for a GPU
#
# make table8_formal CORPORA=DIR              Table 8 on real text, hours; DIR has the text that the file in configs/ names
# make table8_formal_units CORPORA=DIR        what the units of its RIMs do, minutes more
# make table8_formal_tuning CORPORA=DIR       how its options were chosen, on the validation text
#
# PYTHON=...   the Python 3.11 or 3.12 to build .venv with (default: the first suitable one found)
# CORES=...    how many jobs an experiment runs side by side (default: all processors)
# EXTRAS=gpu   also install Triton, for the tests of the GPU kernels (they need no GPU)
# TESTS=...    what to test, e.g. TESTS=tests/core or TESTS="-k resume"

SUITS := import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	"$$p" -c "$(SUITS)" >/dev/null 2>&1 && { echo "$$p"; exit; }; done; echo python3)
CORES ?= all
export EXTRAS
TESTS ?= -m "not slow and not network"
BIN := .venv/bin

FULL := copying copying_ablations adding adding_long programs memorisation nth_farthest wikitext2 wikitext103
SMALL := copying_short_small $(filter-out adding_long_small wikitext103_small,$(FULL:%=%_small))

.PHONY: help setup demo test check clean corpora table8_formal table8_formal_units table8_formal_tuning $(FULL) $(SMALL)
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

setup:
	@"$(PYTHON)" scripts/bootstrap.py

demo: setup
	@$(BIN)/snakemake -s scripts/Snakefile --cores $(CORES) --config experiment=configs/demo.yaml
	@cat runs/demo/table8.md
	@echo "These results are in runs/demo/ (table8.md, .json, .csv, .png). The report, to open in a browser:"
	@echo "$(CURDIR)/runs/demo/report.html"

$(FULL) $(SMALL): setup
	@$(BIN)/snakemake -s scripts/sequences.smk --cores $(CORES) --config experiment=configs/$@.yaml
	@cat runs/$@/table.md
	@echo "These results are in runs/$@/ (table.md, .json, .csv, .png; pictures of the units in activations/)."

corpora:
	@test -d "$(CORPORA)" || { echo "$(or $(CORPORA),CORPORA is not given): no such folder; name that of the text:" \
		"make $(MAKECMDGOALS) CORPORA=DIR" >&2; exit 2; }

TABLE8 = $(BIN)/snakemake -s scripts/Snakefile $(1) --cores $(CORES) \
	--config experiment=configs/$@.yaml corpora="$(CORPORA)"

table8_formal: corpora setup
	@$(call TABLE8,all)
	@cat runs/$@/table8.md
	@echo "These results are in runs/$@/ (table8.md, .json, .csv, .png). The report, to open in a browser:"
	@echo "$(CURDIR)/runs/$@/report.html"

# The limit of the search is that of configs/table8_formal.yaml.
RUN := runs/table8_formal
NEWS = $(CORPORA)/newstest/newstest2013

table8_formal_units: table8_formal
	@for seed in 1 2 3; do $(BIN)/python scripts/task_units.py --model $(RUN)/models/rims.multitask.seed$$seed \
		--text "$(NEWS).en-de.en" --reference "de=$(NEWS).en-de.de" --reference "fr=$(NEWS).en-fr.fr" --limit 1000 \
		--output $(RUN)/units/seed$$seed || exit; done
	@$(BIN)/python scripts/plot_activations.py --model $(RUN)/models/rims.single.seed1 --output $(RUN)/activity \
		--text "$(NEWS).en-de.en" --reference "$(NEWS).en-de.de" --compare "$(CORPORA)/iwslt14.en-de/test.en" \
		--drop-units --limit 300 --pictures 0 --max-len-a 1.5 --max-len-b 15

table8_formal_tuning: corpora setup
	@$(call TABLE8,validation)
	@cat runs/$@/validation.md

test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile $(TESTS)

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:
	rm -rf runs/demo .snakemake .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
