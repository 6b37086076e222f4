"""What units of a trained model do: recorded, counted, and put in a Markdown page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch

from fairseq_plugins.inspection import Sample, Subject
from rims_nlp import analysis
from rims_nlp.analysis.labels import CLASSES, is_word

DIRECTIONS = ("forward", "backward")
FIGURES = {"loss": 4, "perplexity": 3, "accuracy": 4, "bleu": 2}
"""Of an evaluation, with the digits to show behind the point."""
MOST_TOKENS = 32  # numbers that are read without a dictionary: up to so many are labels of their own


@dataclass
class Track:
    """What the units of one layer and direction did.

    Attributes:
        module: name of the RIM module in the model.
        layer: of the module, counted from 0.
        direction: 0 reads forwards, 1 backwards.
        title: for people.
        tokens: number of the sequence -> what was read at each step.
        active: number of the sequence -> ``(T, K)`` bool.
        reads: number of the sequence -> ``(T, K)``, attention to the input (1 - null), of the first sequences only.
    """

    module: str
    layer: int
    direction: int
    title: str
    tokens: dict[int, list[str]] = field(default_factory=dict)
    active: dict[int, np.ndarray] = field(default_factory=dict)
    reads: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def place(self) -> dict[str, int]:
        """Layer and direction, as :func:`rims_nlp.analysis.without_unit` takes them."""
        return {"layer": self.layer, "direction": self.direction}

    def steps(self) -> np.ndarray:
        """All sequences one after another, ``(T, K)``."""
        return np.concatenate(list(self.active.values()))


def find_tracks(subject: Subject) -> list[Track]:
    """The layers and directions of all RIM modules of a model.

    Raises:
        ValueError: if it has none.
    """
    try:
        rims = analysis.find_rims(subject.model)
    except ValueError as error:
        raise ValueError(f"{subject.path}: {error}") from None
    tracks = []
    for module, rim in rims.items():
        for layer in range(rim.num_layers):
            for direction in range(rim.num_directions):
                words = [module.removesuffix(".rim").removesuffix(".core")]
                words += [f"layer {layer + 1}"] if rim.num_layers > 1 else []
                words += [DIRECTIONS[direction]] if rim.num_directions > 1 else []
                tracks.append(Track(module, layer, direction, " ".join(words)))
    return tracks


def observe(subject: Subject, samples: Iterable[Sample], examples: int) -> list[Track]:
    """Run a model over batches and collect what its units do, with the attention of the first ``examples`` sequences.

    Raises:
        ValueError: if there is no RIM layer, or no step to run.
    """
    tracks = find_tracks(subject)
    kept: set[int] = set()
    for sample in samples:
        numbers = sample["id"].tolist()
        kept.update(sorted(numbers)[: examples - len(kept)])
        with torch.no_grad(), analysis.record(subject.model) as recording:
            subject.model(**sample["net_input"])
        for track in tracks:
            _add(track, recording[track.module], numbers, subject.tokens(sample, track.module), kept)
    if not any(track.active for track in tracks):
        raise ValueError("there is no text or data to run the model over: every line is empty")
    return tracks


def _add(
    track: Track, activity: analysis.ModuleActivity, numbers: list[int], tokens: list[list[str]], kept: set[int]
) -> None:
    """Add a batch to a track; a decoder runs over padding too, which its tokens do not have."""
    active = activity.streams(layer=track.layer, direction=track.direction)
    attention = activity.streams(layer=track.layer, direction=track.direction, what="input_attention")
    for number, row, steps, attended in zip(numbers, tokens, active, attention, strict=True):
        track.tokens[number], track.active[number] = row, steps[: len(row)]
        if number in kept:
            track.reads[number] = 1 - attended[: len(row), ..., 0].mean(axis=1)


def frequent_tokens(subject: Subject, module: str, count: int) -> set[str]:
    """The most frequent words, or parts of words, of the dictionary that a module reads; ties: the first ones."""
    dictionary = subject.dictionary(module)
    assert dictionary is not None
    entries = zip(dictionary.symbols[dictionary.nspecial :], dictionary.count[dictionary.nspecial :], strict=True)
    words = [(-seen, place, token) for place, (token, seen) in enumerate(entries) if is_word(token)]
    return {token for _, _, token in sorted(words)[:count]}


def label_steps(subject: Subject, track: Track, *, buckets: int, frequent: int) -> dict[str, tuple[list[str], Any]]:
    """Labels of a track's steps: kind -> names of the labels, and ``(T,)`` numbers of them."""
    rows = list(track.tokens.values())
    parts = [f"{part + 1}/{buckets}" for part in range(buckets)]
    places = np.concatenate([analysis.position_buckets(len(row), buckets) for row in rows])
    labels: dict[str, tuple[list[str], Any]] = {"position": (parts, places)}
    tokens = [token for row in rows for token in row]
    dictionary = subject.dictionary(track.module)
    if dictionary is not None:
        known = {"frequent": frequent_tokens(subject, track.module, frequent)}
        ends = {dictionary.eos_word, dictionary.bos_word}
        labels["token class"] = (list(CLASSES), analysis.token_classes(tokens, ends=ends, **known))
        return labels
    different = sorted(set(map(int, tokens)))
    if not subject.reads_vectors and len(different) <= MOST_TOKENS:
        labels["token"] = ([str(token) for token in different], np.searchsorted(different, [int(t) for t in tokens]))
    return labels


def measure(subject: Subject, track: Track, *, buckets: int, frequent: int, permutations: int, seed: int) -> dict:
    """All figures of a track, ready for JSON; units are counted from 0."""
    active = track.steps()
    information, shares = {}, {}
    for kind, (names, labels) in label_steps(subject, track, buckets=buckets, frequent=frequent).items():
        found = analysis.mutual_information(active, labels, permutations=permutations, seed=seed)
        information[kind] = _plain(asdict(found))
        by_label = analysis.share_by_label(active, labels, len(names))
        shares[kind] = {name: _plain(row) for name, row in zip(names, by_label, strict=True) if not np.isnan(row[0])}
    return {
        "module": track.module,
        **track.place,
        "sequences": len(track.active),
        "steps": len(active),
        "share": _plain(analysis.active_share(active)),
        "balance": _plain(asdict(analysis.load_balance(active))),
        "information": information,
        "share_by_label": shares,
    }


def compare(first: Track, second: Track, *, permutations: int, seed: int) -> dict:
    """How far a layer's units serve two texts, and what a unit's activity tells of the text that is read."""
    active = [first.steps(), second.steps()]
    texts = np.repeat([0, 1], [len(steps) for steps in active])
    information = analysis.mutual_information(np.concatenate(active), texts, permutations=permutations, seed=seed)
    return {
        "share": [_plain(analysis.active_share(steps)) for steps in active],
        "overlap": _plain(asdict(analysis.overlap(*active))),
        "information": _plain(asdict(information)),
    }


def drop_units(
    subject: Subject, tracks: Sequence[Track], evaluate: Callable[[], dict[str, float]]
) -> Iterator[dict[str, Any]]:
    """What ``evaluate`` gives for the intact model, then without each unit of each layer and direction."""
    rims = analysis.find_rims(subject.model)
    yield {"layer": None, "unit": None} | _plain(evaluate())
    for track in tracks:
        for unit in range(rims[track.module].num_units):
            with analysis.without_unit(subject.model, track.module, unit, **track.place):
                yield {"layer": track.title, "unit": unit} | _plain(evaluate())


def _plain(value: Any) -> Any:
    """Arrays as lists, numbers to six digits."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return value


def page(report: dict[str, Any]) -> str:
    """The Markdown page of a report."""
    parts = [f"# Which units are active when: {report['model']}", _about(report)]
    for title, figures in report["layers"].items():
        parts += [f"## {title}", _layer_text(figures), *_layer_tables(figures)]
    for example in report["pictures"]:
        parts.append(f"![units over the steps of sequence {example['sequence'] + 1}]({example['file']})")
    if report["comparison"]:
        parts += ["## Two texts", *_comparison(report)]
    if report["without_unit"]:
        parts += ["## Without a unit", _without_unit(report["without_unit"])]
    parts += ["## How to read this", _notes(report), f"Made by: `{report['signature']['command']}`"]
    return "\n\n".join(parts) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _about(report: dict[str, Any]) -> str:
    first = next(iter(report["layers"].values()))
    pair = f", {report['pair']}" if report["pair"] else ""
    return f"`{report['checkpoint']}`{pair}; {first['sequences']} sequences of {report['origin']}."


def _layer_text(figures: dict[str, Any]) -> str:
    balance = figures["balance"]
    entropies = [f"{kind} {found['label_entropy']:.3f}" for kind, found in figures["information"].items()]
    return (
        f"{figures['steps']:,} steps. Load balance: entropy {balance['entropy']:.3f} of log K (1 is even), "
        f"coefficient of variation {balance['variation']:.3f} (0 is even). "
        f"Entropy of the labels, in bits: {', '.join(entropies)}."
    )


def _layer_tables(figures: dict[str, Any]) -> Iterator[str]:
    """One table of the information in each kind of label, and one for the shares by each kind."""
    kinds = figures["information"]
    units = range(len(figures["share"]))
    header = ["unit", "active", *(f"{kind}: bits (chance)" for kind in kinds)]
    yield table(
        header,
        [
            [str(unit), _percent(figures["share"][unit]), *(_bits(found, unit) for found in kinds.values())]
            for unit in units
        ],
    )
    for kind, shares in figures["share_by_label"].items():
        header = [f"active, by {kind}", *shares]
        yield table(header, [[str(unit), *(_percent(row[unit]) for row in shares.values())] for unit in units])


def _comparison(report: dict[str, Any]) -> Iterator[str]:
    first, second = report["texts"]
    of_a_translator = ", each with the model's own translation" if report["pair"] else ""
    yield f"First text: `{first}`; second: `{second}`{of_a_translator}."
    header = ["layer", "Jaccard", "weighted", "serve both", "first alone", "second alone"]
    rows = []
    for title, found in report["comparison"].items():
        shared = found["overlap"]
        names = [", ".join(map(str, shared[key])) or "none" for key in ("both", "only_first", "only_second")]
        rows.append([title, f"{shared['jaccard']:.2f}", f"{shared['weighted']:.3f}", *names])
    yield table(header, rows)
    header = ["layer, unit", "active, first", "active, second", "text: bits (chance)"]
    yield table(
        header,
        [
            [
                f"{title}, {unit}",
                *(_percent(share[unit]) for share in found["share"]),
                _bits(found["information"], unit),
            ]
            for title, found in report["comparison"].items()
            for unit in range(len(found["share"][0]))
        ],
    )


def _without_unit(rows: list[dict[str, Any]]) -> str:
    """The table of :func:`drop_units`; each figure with its difference to the intact model."""
    intact = rows[0]
    names = [name for name in FIGURES if name in intact]

    def cells(row: dict[str, Any]) -> Iterator[str]:
        for name in names:
            difference = "" if row is intact else f" ({row[name] - intact[name]:+.{FIGURES[name]}f})"
            yield f"{row[name]:.{FIGURES[name]}f}{difference}"

    labels = ["intact", *(f"{row['layer']}, without {row['unit']}" for row in rows[1:])]
    header = ["model", *({"bleu": "BLEU"}.get(name, name) for name in names)]
    return table(header, [[label, *cells(row)] for label, row in zip(labels, rows, strict=True)])


def _notes(report: dict[str, Any]) -> str:
    settings = report["settings"]
    notes = [
        "Units of different layers and directions have nothing to do with each other; all are counted from 0. A token "
        "belongs to the step that reads it: a decoder reads its target one step late.",
        "Pictures: grey units are inactive; of the active ones, the darker, the more they attend to the input and not "
        "to the null element. A sequence of a language model that reads one stream is a block of the text.",
        "Bits: mutual information between the unit being active and the label of the step. In brackets chance, the "
        f"mean of {settings['permutations']} shuffles of the labels (seed {settings['seed']}); * marks what is above "
        "95 % of them. The shuffles take steps as independent of each other.",
        f"Position: the part of its sequence that a step lies in, of {settings['buckets']} equal ones. At the first "
        "step of a layer that starts from zeros all units tie and the lowest ones are active, whatever is read: a "
        "backward layer's first step is the end of the sequence.",
    ]
    if any("token class" in figures["information"] for figures in report["layers"].values()):
        notes.append(
            f"Frequent: the {settings['frequent']} most frequent tokens with a letter in the training data, mostly "
            "function words; other: all others with a letter."
        )
    if report["comparison"]:
        notes.append(
            "A unit serves a text if it is active at no fewer steps than the mean of the units. Jaccard: units that "
            "serve both over units that serve either; weighted: sum of the smaller over sum of the larger shares."
        )
    if report["without_unit"]:
        notes.append(
            "Without a unit: its output is zero, its state stays at the start, no unit hears it, and as many of the "
            "others are active as before; nothing is trained again. Loss: nats of the reference, or as the model's "
            "criterion counts."
        )
        if "bleu_signature" in report["without_unit"][0]:
            search = report["search"]
            notes.append(
                f"BLEU: `{report['without_unit'][0]['bleu_signature']}`; beam {search['beam']}, at most "
                f"{search['max_len_a']:g} subwords for each of the source, and {search['max_len_b']}."
            )
    return "\n".join(f"- {note}" for note in notes)


def _bits(found: dict[str, Any], unit: int) -> str:
    mark = "\\*" if found["bits"][unit] > found["chance_high"][unit] else ""
    return f"{found['bits'][unit]:.4f} ({found['chance'][unit]:.4f}){mark}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
