"""Which units of a trained model are active when, what for, and what is lost without one: pictures, tables, JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import logging
import os
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from files import sha256, write_json, write_text, written_whole
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from source_text import open_source, read_segments

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
warnings.filterwarnings("ignore", "'pin_memory' argument is set")  # fairseq sets it, GPU or not

from activity_report import FIGURES, Track, compare, drop_units, find_tracks, measure, observe, page  # noqa: E402
from model_options import add_search_options, search_options  # noqa: E402

from fairseq_plugins.inspection import Sample, Subject, load_subject  # noqa: E402
from fairseq_plugins.scoring import check_line_counts, read_lines, score  # noqa: E402

ACTIVE = colors.LinearSegmentedColormap.from_list("active", ["#b7d4ea", "#08306b"])
INACTIVE = "#f3f3f3"
NAMED_STEPS = 60  # longer sequences have their steps numbered, not named
CELL = 0.27  # inches
WIDEST = 12.0  # inches, of a picture whose steps are numbered


@dataclass(frozen=True)
class Material:
    """What the model is run over.

    Attributes:
        origin: for people.
        lines: text, and what the model has to write for it; None: a split of the data.
        targets: of a model that translates.
        split: of the data.
    """

    origin: str
    lines: list[str] | None = None
    targets: list[str] | None = None
    split: str | None = None

    def samples(self, subject: Subject, batch_size: int) -> Iterator[Sample]:
        """Its batches."""
        if self.split is not None:
            return subject.split_samples(self.split, batch_size=batch_size)
        assert self.lines is not None
        return subject.text_samples(self.lines, self.targets, batch_size=batch_size)


def read_text(name: str, limit: int | None) -> list[str]:
    """The lines of a file, at most ``limit``, normalised as the training text was."""
    with open_source(name) as stream:
        return list(itertools.islice(read_segments(stream, name), limit))


def choose_material(subject: Subject, arguments: argparse.Namespace) -> Material:
    """What the options name; without a reference, a model that translates is run over its own translation.

    Raises:
        ValueError: if it cannot be read, or texts are not aligned.
    """
    if arguments.split is not None:
        return Material(f"split `{arguments.split}`", split=arguments.split)
    lines = arguments.sentences or read_text(arguments.text, arguments.limit)
    origin = f"`{arguments.text}`" if arguments.text else "the command line"
    if arguments.reference is None:
        return Material(origin, lines, own_translation(subject, lines, arguments))
    references = read_lines(arguments.reference)[: arguments.limit]
    check_line_counts(lines, references, arguments.text or "the command line", arguments.reference)
    return Material(origin, lines, references)


def own_translation(subject: Subject, lines: list[str], arguments: argparse.Namespace) -> list[str] | None:
    """The model's translation of lines; None if it does not translate."""
    if subject.pair is None:
        return None
    return subject.translator(**search_options(arguments)).translate(lines)


def examine(arguments: argparse.Namespace) -> dict[str, Any]:
    """Do all that the options ask for; writes the pictures and returns the report.

    Raises:
        ValueError: for options that do not fit the model, or files that are missing.
    """
    subject = load_subject(
        arguments.model, data=arguments.data, target_lang=arguments.target_lang, checkpoint=arguments.checkpoint
    )
    if arguments.reference is not None and subject.pair is None:
        raise ValueError("--reference is for models that translate; this one predicts the text itself")
    if arguments.drop_units and subject.pair is not None and arguments.split is arguments.reference is None:
        raise ValueError("--drop-units needs the --reference of the text, to score translations with, or a --split")
    find_tracks(subject)  # before a long translation
    chance = {"permutations": arguments.permutations, "seed": arguments.seed}
    settings = {"buckets": arguments.buckets, "frequent": arguments.frequent, **chance}
    material = choose_material(subject, arguments)
    tracks = observe(subject, material.samples(subject, arguments.batch_size), arguments.pictures)
    report: dict[str, Any] = {
        "model": subject.path.parent.name,
        "checkpoint": subject.path.name,
        "pair": "-".join(subject.pair) if subject.pair else None,
        "origin": material.origin,
        "settings": settings,
        "search": search_options(arguments),
        "layers": {track.title: measure(subject, track, **settings) for track in tracks},
        "pictures": draw_examples(tracks, arguments.output),
        "texts": None,
        "comparison": None,
        "without_unit": None,
        "signature": signature(subject, arguments),
    }
    if arguments.compare is not None:
        report["texts"] = [arguments.text, arguments.compare]
        report["comparison"] = comparison(subject, tracks, arguments, chance)
    if arguments.drop_units:
        report["without_unit"] = ablation_table(subject, tracks, material, arguments)
    return report


def comparison(
    subject: Subject, tracks: list[Track], arguments: argparse.Namespace, chance: dict[str, int]
) -> dict[str, Any]:
    """Both texts beside each other, layer by layer; a model that translates is run over its own translations."""

    def own(name: str) -> list[Track]:
        lines = read_text(name, arguments.limit)
        material = Material(name, lines, own_translation(subject, lines, arguments))
        return observe(subject, material.samples(subject, arguments.batch_size), 0)

    first = tracks if arguments.reference is None else own(arguments.text)
    return {a.title: compare(a, b, **chance) for a, b in zip(first, own(arguments.compare), strict=True)}


def ablation_table(
    subject: Subject, tracks: list[Track], material: Material, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """Loss and what goes with it, and BLEU of a model that translates, intact and without each unit; says them."""

    def evaluate() -> dict[str, Any]:
        found: dict[str, Any] = subject.evaluate(material.samples(subject, arguments.batch_size))
        if material.lines is not None and material.targets is not None:
            scores = score(own_translation(subject, material.lines, arguments) or [], material.targets)
            found |= {name: scores[name] for name in ("bleu", "bleu_signature")}
        return found

    rows = []
    for row in drop_units(subject, tracks, evaluate):
        rows.append(row)
        name = "intact" if row["unit"] is None else f"{row['layer']}, without {row['unit']}"
        print(f"{name}: " + ", ".join(f"{key} {row[key]:g}" for key in FIGURES if key in row))
    return rows


def signature(subject: Subject, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the figures were made with."""
    files = [subject.path, *filter(None, (arguments.text, arguments.reference, arguments.compare))]
    return {
        "command": shlex.join(["python", "scripts/plot_activations.py", *arguments.command]),
        "sha256": {os.path.relpath(file): sha256(Path(file)) for file in files},
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "fairseq-fixed")},
    }


def draw_examples(tracks: Sequence[Track], folder: Path) -> list[dict[str, Any]]:
    """Draw the first sequences, each in a file; returns what is in the pictures."""
    examples = []
    for number in sorted({number for track in tracks for number in track.reads}):
        path = folder / f"sequence_{number + 1}.png"
        shown = [track for track in tracks if number in track.reads]
        with written_whole(path) as temporary:
            draw(shown, number).savefig(temporary, dpi=150, format="png")
        layers = {
            track.title: {
                "tokens": track.tokens[number],
                "active": track.active[number].astype(int).tolist(),
                "reads": np.round(track.reads[number].astype(float), 4).tolist(),
            }
            for track in shown
        }
        examples.append({"sequence": number, "file": path.name, "layers": layers})
    return examples


def draw(tracks: Sequence[Track], number: int) -> Figure:
    """The units of each layer and direction over the steps of a sequence; how dark: how much they read."""
    units = [track.active[number].shape[1] for track in tracks]
    named = [_names_steps(tracks, index, number) for index in range(len(tracks))]
    longest = max(len(track.tokens[number]) for track in tracks)
    heights = [CELL * count + (0.95 if names else 0.55) for count, names in zip(units, named, strict=True)]
    width = max(5.0, CELL * longest + 1.6) if longest <= NAMED_STEPS else WIDEST
    figure = Figure(figsize=(width, sum(heights) + 0.3), layout="constrained")  # not of pyplot: needs no display
    rows = figure.subplots(len(tracks), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, track, names in zip(rows, tracks, named, strict=True):
        image = _draw_track(axes, track, number, names)
        axes.set_xlim(-0.5, longest - 0.5)  # steps of all rows are equally wide
    bar = figure.colorbar(image, ax=list(rows), shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("attention to the input\n(grey: inactive)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return figure


def _names_steps(tracks: Sequence[Track], index: int, number: int) -> bool:
    """Whether a row names its steps: the row below it does so too where both read the same."""
    below = tracks[index + 1] if index + 1 < len(tracks) else None
    return below is None or below.tokens[number] != tracks[index].tokens[number]


def _draw_track(axes: Axes, track: Track, number: int, names_steps: bool) -> Any:
    active, tokens = track.active[number], track.tokens[number]
    shades = np.ma.masked_where(~active, track.reads[number])
    steps, units = active.shape
    axes.set_facecolor("white")
    axes.imshow(np.zeros((units, steps)), cmap=colors.ListedColormap([INACTIVE]), aspect="auto")
    image = axes.imshow(shades.T, cmap=ACTIVE, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    axes.set_title(track.title, fontsize=9, loc="left", fontweight="bold")
    axes.set_yticks(range(units), [str(unit) for unit in range(units)], fontsize=7)
    axes.set_ylabel("unit", fontsize=8)
    named = steps <= NAMED_STEPS
    if names_steps and named:
        # "$" would begin a formula.
        axes.set_xticks(range(steps), [token.replace("$", r"\$") for token in tokens], rotation=90, fontsize=7)
        axes.set_xlabel("what is read", fontsize=8)
    elif named:
        axes.set_xticks([])
    else:
        axes.tick_params(axis="x", labelsize=7)
        axes.set_xlabel("step, from 0" if names_steps else "", fontsize=8)
    axes.set_xticks(np.arange(-0.5, steps) if named else [], minor=True)
    axes.set_yticks(np.arange(-0.5, units), minor=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    return image


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line, and see that the options fit each other."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  python scripts/plot_activations.py --model runs/demo/models/rims.single.seed1 --output runs/units \\\n"
        '    "the report is ready ."\n'
        "  python scripts/plot_activations.py --model runs/demo/models/rims.single.seed1 --output runs/units \\\n"
        "    --text news.en --reference news.de --drop-units --compare talks.en\n"
        "  python scripts/plot_activations.py --model checkpoints/checkpoint_best.pt --data DATA --split test \\\n"
        "    --output runs/units",
    )
    parser.add_argument("--model", required=True, metavar="PATH", help="model directory, or a checkpoint of any task")
    parser.add_argument(
        "--checkpoint", default="checkpoint_best.pt", metavar="NAME", help="of a directory (%(default)s)"
    )
    parser.add_argument("--data", metavar="DIR", help="dictionaries or data of the model (default: as trained)")
    parser.add_argument("--target-lang", metavar="LANG", help="for a model of several pairs (default: the scored one)")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of what is written")
    parser.add_argument("sentences", nargs="*", metavar="SENTENCE", help="text to run the model over")
    parser.add_argument("--text", metavar="FILE", help="text to run the model over, one segment a line")
    parser.add_argument("--split", metavar="NAME", help="split of the data to run the model over, such as test")
    parser.add_argument("--reference", metavar="FILE", help="what to translate to (default: the model's translation)")
    parser.add_argument("--compare", metavar="FILE", help="second text: which units serve which of the two")
    parser.add_argument("--drop-units", action="store_true", help="also evaluate the model without each unit in turn")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N lines of each text")
    parser.add_argument("--pictures", type=int, default=4, metavar="N", help="draw the first N sequences (default: 4)")
    parser.add_argument("--buckets", type=int, default=5, metavar="N", help="parts of a sequence (default: 5)")
    parser.add_argument("--frequent", type=int, default=50, metavar="N", help="tokens that are frequent (default: 50)")
    parser.add_argument("--permutations", type=int, default=200, metavar="N", help="shuffles for chance (default: 200)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the shuffles (default: 0)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="sequences at once (default: 64)")
    add_search_options(parser)
    arguments = parser.parse_args(argv)
    arguments.command = sys.argv[1:] if argv is None else argv
    given = [name for name in ("sentences", "text", "split") if getattr(arguments, name)]
    if len(given) != 1:
        parser.error(f"give sentences, --text or --split, one of them; got {' and '.join(given) or 'none'}")
    if arguments.compare is not None and arguments.text is None:
        parser.error("--compare needs a --text to compare with")
    if arguments.split is not None and (arguments.limit is not None or arguments.reference is not None):
        parser.error("--limit and --reference are for text, not for a --split")
    for name, least in (("limit", 1), ("pictures", 0), ("frequent", 0), ("batch_size", 1)):
        if getattr(arguments, name) is not None and getattr(arguments, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, got {getattr(arguments, name)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    arguments = parse(argv)
    try:
        report = examine(arguments)
        write_json(arguments.output / "activity.json", report)
        write_text(arguments.output / "activity.md", page(report))
    except ValueError as error:
        print(f"plot_activations.py: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments.output / 'activity.md'}, activity.json and {len(report['pictures'])} picture(s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
