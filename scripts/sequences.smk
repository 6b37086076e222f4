# Make the data sets, train every cell, score it, make the table and the pictures of the units' activity: the
# experiments on synthetic sequences and the language models. See scripts/README.md.
#
#   snakemake -s scripts/sequences.smk --cores 2 --config experiment=configs/copying.yaml
#
# As in the Snakefile, nothing of a model is a declared output.
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)
from experiment import Cell, load_sequences

if "experiment" not in config:
    sys.exit("sequences.smk: say which experiment: --config experiment=configs/copying_small.yaml")
try:
    experiment = load_sequences(config["experiment"])
except ValueError as error:
    sys.exit(f"sequences.smk: {error}")

python = sys.executable
scripts = Path(workflow.basedir)
corpora = f"--corpora {shlex.quote(str(config['corpora']))}" if "corpora" in config else ""
root = experiment.root.as_posix()
prepared = f"{root}/prepared/{{setting}}.json"
trained = f"{root}/models/{{family}}.{{setting}}.seed{{seed}}/trained"
scored = f"{root}/scores/{{family}}.{{setting}}.seed{{seed}}.json"
unrolled = f"{root}/perplexity/{{family}}.md"
drawn = f"{root}/activations/{{family}}.{{setting}}.{{split}}/activity.md"

for member in experiment.cells():  # a mark whose model was removed by hand
    if not (experiment.model_dir(member) / "model.json").exists():
        experiment.trained_mark(member).unlink(missing_ok=True)


def prepare_words(wildcards):
    """What follows `python -m data_prep`."""
    words = experiment.settings[wildcards.setting]
    return f"{shlex.join(words)} {corpora if words[0] == 'prepare' else ''}"


wildcard_constraints:
    family="|".join(map(re.escape, experiment.families)),
    setting="|".join(map(re.escape, experiment.settings)),
    seed=r"\d+",


localrules:
    all,
    table,


rule all:
    default_target: True
    input:
        expand(f"{root}/table.{{kind}}", kind=["md", "json", "csv", "png"]),
        [
            drawn.format(family=cell.family, setting=cell.setting, split=split)
            for cell, split in experiment.pictures()
        ],
        [unrolled.format(family=cell.family) for cell in experiment.unrolled()],


# The data folder is no output: it appears in one piece, and is left alone while its signature fits.
rule prepare:
    output:
        prepared,
    params:
        words=prepare_words,
        signature=lambda wildcards: experiment.folders[wildcards.setting] / "signature.json",
    message:
        "making the data {wildcards.setting}"
    shell:
        "{python:q} -m data_prep {params.words} && cp {params.signature:q} {output:q}.tmp && mv {output:q}.tmp {output:q}"


rule train:
    input:
        prepared,
    output:
        touch(trained),
    params:
        recipe=lambda w: experiment.train_arguments(Cell(w.family, w.setting, int(w.seed))),
    threads: experiment.threads
    resources:
        **experiment.resources,
    message:
        "training {wildcards.family}, {wildcards.setting}, seed {wildcards.seed}"
    shell:
        "{python:q} {scripts:q}/train.py --config {experiment.path:q} --family {wildcards.family:q} "
        "--setting {wildcards.setting:q} --seed {wildcards.seed}"


rule score:
    input:
        trained,
    output:
        scored,
    params:
        tests=experiment.tests,
        metric=experiment.metric,
    threads: experiment.threads
    message:
        "scoring {wildcards.family}, {wildcards.setting}, seed {wildcards.seed}"
    shell:
        "OMP_NUM_THREADS={threads} {python:q} {scripts:q}/score_sequences.py --config {experiment.path:q} "
        "--family {wildcards.family:q} --setting {wildcards.setting:q} --seed {wildcards.seed} > /dev/null"


rule draw:
    input:
        f"{root}/models/{{family}}.{{setting}}.seed{experiment.seeds[0]}/trained",
    output:
        drawn,
    params:
        model=lambda w: experiment.model_dir(Cell(w.family, w.setting, experiment.seeds[0])),
        data=lambda w: experiment.folders[w.setting],
        folder=lambda w, output: Path(output[0]).parent,
    threads: experiment.threads
    message:
        "drawing the units of {wildcards.family}, {wildcards.setting}, on {wildcards.split}"
    shell:
        "OMP_NUM_THREADS={threads} {python:q} {scripts:q}/plot_activations.py --model {params.model:q} "
        "--data {params.data:q} --split {wildcards.split:q} --pictures 2 --drop-units "
        "--output {params.folder:q} > /dev/null"


rule unroll:
    input:
        f"{root}/models/{{family}}.text.seed{experiment.seeds[0]}/trained",
    output:
        unrolled,
        f"{root}/perplexity/{{family}}.json",
    params:
        model=lambda w: experiment.model_dir(Cell(w.family, "text", experiment.seeds[0])) / "checkpoint_best.pt",
        data=lambda w: experiment.folders["text"],
        lengths=lambda w: experiment.unroll_words(Cell(w.family, "text", experiment.seeds[0])),
        split=experiment.tests[-1],
        prefix=f"{root}/perplexity/{{family}}",
    threads: experiment.threads
    message:
        "perplexity of {wildcards.family} by unroll length and by frequency"
    shell:
        "OMP_NUM_THREADS={threads} {python:q} {scripts:q}/evaluate_lm.py --model {params.model:q} --data {params.data:q} "
        "--split {params.split:q} --unroll {params.lengths} --output {params.prefix:q} > /dev/null"


rule table:
    input:
        [experiment.trained_mark(member) for member in experiment.cells()],
        [experiment.score_file(member) for member in experiment.cells()],
    output:
        expand(f"{root}/table.{{kind}}", kind=["md", "json", "csv", "png"]),
    params:
        paper=experiment.paper,
        members=[member.name for member in experiment.cells()],  # one more of them makes the table anew
    message:
        "making the table of {experiment.name}"
    shell:
        "{python:q} {scripts:q}/sequence_table.py --config {experiment.path:q} > /dev/null"
