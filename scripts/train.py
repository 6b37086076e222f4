"""Train one cell of an experiment in a process of its own, and leave a model directory that stands alone.

The directory's last file is model.json: while it is absent, running this again goes on from checkpoint_last.pt.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.metadata
import json
import logging
import math
import os
import platform
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiment import Cell, Experiment, load_experiment
from files import sha256, write_json, written_whole

from rims_nlp.machine import cores, processor

ROOT = Path(__file__).resolve().parents[1]
USER_DIR = ROOT / "fairseq_plugins"
SHOWN_EVERY = 60.0  # seconds between two lines of progress, at least
LOGGED = re.compile(r"\| (train_inner|train|valid) \| (\{.*\})\s*$")
PARAMETERS = re.compile(r"num\. shared model params: [\d,]+ \(num\. trained: ([\d,]+)\)")
STARTED = "=== fairseq-train started"
FINISHED = "| done training in"
SHAPED_BY_LENGTH = {"cosine", "polynomial_decay", "tri_stage"}
"""The ``--lr-scheduler`` whose learning rate at an update depends on ``--max-update``."""


def recipe(experiment: Experiment, cell: Cell) -> dict[str, Any]:
    """What a cell is trained with; a directory that was begun with another recipe is not continued.

    Raises:
        ValueError: if the data's signature is damaged.
    """
    path = experiment.signature(cell)
    way_out = f"remove {path.parent} and prepare the data again: {experiment.prepare_command(cell)}"
    signature = read_record(path, {"identity": str}, way_out)
    return {"arguments": experiment.train_arguments(cell), "data": signature["identity"]}


def read_record(path: Path, entries: dict[str, type], way_out: str) -> dict[str, Any]:
    """Read a JSON file that was written by a program.

    Args:
        path: the file.
        entries: what it must hold, and of which type.
        way_out: ends the message where it does not.

    Raises:
        ValueError: if the file is no JSON, or an entry is missing or of another type.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: is damaged ({error}); {way_out}") from None
    for name, kind in entries.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), kind):
            raise ValueError(f"{path}: is damaged (it has no {name!r} as it should be); {way_out}")
    return dict(content)


def check_recipe(directory: Path, wanted: dict[str, Any]) -> None:
    """Record the recipe in a new directory, or compare it with the one recorded; it may ask for more updates.

    Raises:
        ValueError: if the directory was begun with other options or other data, or its record is damaged.
    """
    path = directory / "recipe.json"
    if not path.exists():
        if (directory / "checkpoint_last.pt").exists():
            raise ValueError(f"{directory}: holds a checkpoint but no recipe.json, so how it was trained is unknown; "
                             "remove the directory to train anew")  # fmt: skip
        write_json(path, wanted)
        return
    way_out = f"how {directory} was begun is unknown, remove the directory to train anew"
    found = read_record(path, {"arguments": list, "data": str}, way_out)
    if found == wanted:
        return
    schedule = last_value(wanted["arguments"], "--lr-scheduler")
    is_longer = asks_for_more(found, wanted)
    if is_longer and schedule not in SHAPED_BY_LENGTH:
        train_further(directory)
        write_json(path, wanted)
        return
    if found["data"] != wanted["data"]:
        difference = "on data prepared differently"
    elif is_longer:
        difference = f"with a smaller --max-update, by which --lr-scheduler {schedule} sets the learning rates"
    else:
        difference = f"with {' '.join(map(str, found['arguments']))}, now wanted: {' '.join(wanted['arguments'])}"
    raise ValueError(
        f"{directory}: was begun {difference}; take the change back, give the experiment another name, "
        "or remove the directory to train anew"
    )


def asks_for_more(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether two recipes differ in nothing but a larger ``--max-update``."""
    (updates, rest), (more, others) = (_max_update(recipe["arguments"]) for recipe in (found, wanted))
    return found["data"] == wanted["data"] and rest == others and updates is not None and (more or 0) > updates


def _max_update(arguments: list[str]) -> tuple[int | None, list[str]]:
    """The number that counts, and the arguments without any."""
    number = last_value(arguments, "--max-update")
    names = {place for place, word in enumerate(arguments[:-1]) if word == "--max-update"}
    rest = [word for place, word in enumerate(arguments) if not {place, place - 1} & names]
    return (int(number) if number.isdecimal() else None), rest


def last_value(arguments: list[str], option: str) -> str:
    """The value of an option, the last one where it is repeated; empty where it is absent."""
    return next((value for name, value in reversed(list(pairwise(arguments))) if name == option), "")


def train_further(directory: Path) -> None:
    """Let a directory count as one whose training was interrupted."""
    (directory / "model.json").unlink(missing_ok=True)
    with open(directory / "train.log", "a", encoding="utf-8") as log:
        log.write(f"{STARTED} anew, for more updates\n")


@contextlib.contextmanager
def exclusive(directory: Path) -> Iterator[int]:
    """Hold the directory's lock, waiting for another process that still trains there; yields its descriptor."""
    with open(directory / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{directory.name}: another process still trains this model, waiting for it", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def train_command(experiment: Experiment, cell: Cell, launcher: Sequence[str] = ()) -> list[str]:
    """The complete command line of ``fairseq-train``, started by this Python or by a launcher such as torchrun.

    Raises:
        ValueError: if the launcher is neither beside this Python nor on the path.
    """
    if not launcher:
        return [sys.executable, "-P", *module_arguments(experiment, cell)]
    name, *options = launcher
    program = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise ValueError(f"--launcher: there is no program {name!r}, neither beside {sys.executable} nor on the path")
    return [program, *options, *module_arguments(experiment, cell)]


def module_arguments(experiment: Experiment, cell: Cell) -> list[str]:
    """``fairseq-train`` as a module, with all its arguments."""
    directory = experiment.model_dir(cell)
    tensorboard = ["--tensorboard-logdir", str(directory / "tensorboard")] if experiment.tensorboard else []
    return [
        "-m", "fairseq_cli.train", experiment.train_data(cell), "--user-dir", str(USER_DIR),
        "--save-dir", str(directory), *tensorboard, *experiment.train_arguments(cell),
    ]  # fmt: skip


def is_finished(log: Path) -> bool:
    """Whether the last training run that the log holds came to its end."""
    return log.exists() and FINISHED in log.read_text(encoding="utf-8", errors="replace").split(STARTED)[-1]


def run_training(command: list[str], directory: Path, threads: int, lock: int) -> None:
    """Run ``fairseq-train``, its output appended to train.log, and show its progress.

    The child holds the lock too: should this process be killed, a second one waits until the child is gone. The
    processes that a launcher starts do not: kill them before the cell is trained again.

    Raises:
        ValueError: if training fails; the message ends with the end of the log.
    """
    log = directory / "train.log"
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONUNBUFFERED="1")
    with open(log, "a", encoding="utf-8") as output:
        output.write(f"{STARTED} {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        output.flush()
        begin = output.tell()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, pass_fds=(lock,))
    try:
        follow(process, log, begin, directory.name)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    # The interpreter can abort while it exits, after the last checkpoint was written: what counts is the log.
    if not is_finished(log):
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise ValueError(f"{directory.name}: training failed with status {process.returncode}; end of {log}:\n{tail}")


def follow(process: subprocess.Popen, log: Path, begin: int, name: str, interval: float = 0.5) -> None:
    """Print a line for every validation that the log reports, and now and then in between, until the process ends."""
    shown = time.monotonic()
    with open(log, encoding="utf-8", errors="replace") as file:
        file.seek(begin)
        pending = ""
        while True:
            ended = process.poll() is not None
            *lines, pending = (pending + file.read()).split("\n")
            for stage, values in parse_log("\n".join(lines)):
                if stage == "valid" or stage == "train_inner" and time.monotonic() - shown > SHOWN_EVERY:
                    print(f"{name}: {progress(stage, values)}", flush=True)
                    shown = time.monotonic()
            if ended:
                return
            time.sleep(interval)


def progress(stage: str, values: dict[str, Any]) -> str:
    """A line of the log for a reader."""
    names = {"loss": "loss", "perplexity": "ppl", "accuracy": "accuracy", "words/s": "wps"}
    prefix, kind = ("valid_", "valid ") if stage == "valid" else ("", "")
    known = [f"{what} {values[prefix + key]}" for what, key in names.items() if prefix + key in values]
    return f"update {values[prefix + 'num_updates']}, {kind}{', '.join(known)}"


def parse_log(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The figures that fairseq logged: pairs of a stage (train_inner, train, valid) and its values, as text."""
    for line in text.splitlines():
        match = LOGGED.search(line)
        if match:
            yield match.group(1), json.loads(match.group(2))


def speeds(text: str) -> list[float]:
    """Target tokens per second in training, one figure for each line of the log that has it."""
    figures = list(parse_log(text))
    inner = [float(values["wps"]) for stage, values in figures if stage == "train_inner" and "wps" in values]
    return inner or [float(v["train_wps"]) for stage, v in figures if stage == "train" and "train_wps" in v]


def words_per_second(text: str) -> float | None:
    """The median of :func:`speeds`; None where the log has none."""
    found = speeds(text)
    return round(statistics.median(found), 1) if found else None


def summarise(experiment: Experiment, cell: Cell, launcher: Sequence[str] = ()) -> dict[str, Any]:
    """The content of model.json, of a model that was started as :func:`train_command` says.

    Training time and updates are read from the last checkpoint, which adds up over every resumption: it is the wall
    time in seconds that led to this model, validation included, work lost in a kill left out.
    """
    from fairseq import checkpoint_utils, utils

    # First: its repairs replace `checkpoint_utils.load_checkpoint_to_cpu`, which is therefore looked up when called.
    utils.import_user_module(argparse.Namespace(user_dir=str(USER_DIR)))
    directory = experiment.model_dir(cell)
    text = (directory / "train.log").read_text(encoding="utf-8", errors="replace")
    state = checkpoint_utils.load_checkpoint_to_cpu(str(directory / "checkpoint_last.pt"))
    command = [*(launcher or ["-P"]), *module_arguments(experiment, cell)]  # no folder of this machine
    losses = [float(values["valid_loss"]) for stage, values in parse_log(text) if stage == "valid"]
    return {
        "arch": experiment.architecture(cell),
        **experiment.description(cell),
        **asdict(cell),
        "parameters": int(PARAMETERS.findall(text)[-1].replace(",", "")),
        "updates": state["optimizer_history"][-1]["num_updates"],
        "training_seconds": round(float(state["extra_state"]["previous_training_time"]), 1),  # torchrun leaves a tensor
        "words_per_second": words_per_second(text),
        "best_valid_loss": min(filter(math.isfinite, losses), default=None),
        "checkpoint_sha256": sha256(directory / "checkpoint_best.pt"),
        "threads": experiment.threads,
        "machine": machine(),
        "command": [word.replace(f"{ROOT}{os.sep}", "") for word in command],
        "data": recipe(experiment, cell)["data"],
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("torch", "fairseq-fixed", "sentencepiece")},
        },
    }


def machine() -> str:
    """What this trains on."""
    import torch  # takes seconds

    devices = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join([f"{processor()}, {cores()} cores", *devices])


def complete(experiment: Experiment, cell: Cell, launcher: Sequence[str]) -> None:
    """Copy what the model needs beside the checkpoints, and write model.json as the mark of a finished cell."""
    directory = experiment.model_dir(cell)
    for path in experiment.companions(cell):
        with written_whole(directory / path.name) as temporary:
            shutil.copyfile(path, temporary)
    for path in directory.glob("checkpoint_*_*.pt"):
        path.unlink()
    if not (directory / "checkpoint_best.pt").exists():
        raise ValueError(f"{directory}: training left no checkpoint_best.pt; does the experiment disable validation?")
    write_json(directory / "model.json", summarise(experiment, cell, launcher))


def train_cell(experiment: Experiment, cell: Cell, launcher: Sequence[str] = ()) -> None:
    """Train a cell, or go on where it stopped; does nothing where it is done.

    Args:
        experiment: the experiment.
        cell: one of its cells.
        launcher: what starts the training in the place of this Python, such as torchrun with its options.

    Raises:
        ValueError: if the data is not prepared, the directory belongs to another recipe, there is no such launcher,
            or training fails.
    """
    experiment.check_cell(cell)
    experiment.check_data(cell)
    directory, command = experiment.model_dir(cell), train_command(experiment, cell, launcher)
    directory.mkdir(parents=True, exist_ok=True)
    with exclusive(directory) as lock:
        check_recipe(directory, recipe(experiment, cell))
        if (directory / "model.json").exists():
            print(f"{cell.name}: already trained", flush=True)
            return
        if not is_finished(directory / "train.log"):
            resumed = (directory / "checkpoint_last.pt").exists()
            print(f"{cell.name}: {'going on from checkpoint_last.pt' if resumed else 'training'}", flush=True)
            run_training(command, directory, experiment.threads, lock)
        complete(experiment, cell, launcher)
    print(f"{cell.name}: done, see {directory}", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  python scripts/train.py --config configs/demo.yaml --family rims --setting single --seed 1\n"
        "  python scripts/train.py ... --launcher 'torchrun --standalone --nproc-per-node 2'  # two GPUs",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file")
    parser.add_argument("--family", required=True, help="a key of train.families")
    parser.add_argument("--setting", required=True, help="a key of train.settings, or a data set's name")
    parser.add_argument("--seed", required=True, type=int, help="a member of train.seeds")
    parser.add_argument("--launcher", type=shlex.split, default=[], metavar="COMMAND",
                        help="what starts the training: torchrun with its options (default: this Python). The batch "
                        "grows with its processes, --update-freq does not shrink by itself")  # fmt: skip
    parser.add_argument("--show", action="store_true",
                        help="print the arguments and stop; by hand: eval torchrun ... $(... --show)")  # fmt: skip
    arguments = parser.parse_args(argv)
    cell = Cell(arguments.family, arguments.setting, arguments.seed)
    try:
        experiment = load_experiment(arguments.config)
        if arguments.show:
            experiment.check_cell(cell)
            print(shlex.join(module_arguments(experiment, cell)))
        else:
            train_cell(experiment, cell, arguments.launcher)
    except ValueError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # Before fairseq is imported, which would log everything.
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    # So that `finally` runs and the training process is ended too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
