"""Write an experiment's report: runs/NAME/report.html, one page that needs no other file and no network."""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import importlib.metadata
import itertools
import json
import logging
import platform
import re
import shlex
import string
import sys
import warnings
from pathlib import Path
from typing import Any

import table8
from files import write_text
from plotly.offline import get_plotlyjs
from translation_experiment import TranslationExperiment

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # its advice on every bucket of sentences
warnings.filterwarnings("ignore", "'pin_memory' argument is set")  # fairseq sets it, GPU or not

import report_data  # noqa: E402
from experiment import load_translation  # noqa: E402
from learning_curves import learning_curves  # noqa: E402
from report_charts import draw_curves, draw_lengths  # noqa: E402
from report_units import LONGEST, explorer  # noqa: E402

PAGE = Path(__file__).parent / "report_page"
VERSIONS = ("torch", "numpy", "fairseq-fixed", "sacrebleu", "sentencepiece", "plotly")
NO_RIMS = "No model of this experiment has RIMs, so there are no units to look at."
NO_EXAMPLES = "This page was made without examples (--examples 0)."
NO_FITTING = f"No sentence of this test set fits: an example and its translation have 1 to {LONGEST} subwords each."
NO_SENTENCES = "This page was made without sentences of the test sets (--sentences 0)."
CODE = re.compile(r"`([^`]*)`")


def embedded(content: Any) -> str:
    """JSON that can stand in a script element: no tag or comment can end or begin in it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def data_element(name: str, content: Any) -> str:
    """A script element that holds data, for the page to read when it needs them."""
    return f'<script type="application/json" id="{html.escape(name)}">{embedded(content)}</script>'


def content_hash(script: str) -> str:
    """The source expression that lets this script run, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode('utf-8')).digest()).decode('ascii')}'"


def inline(text: str) -> str:
    """Markdown with nothing but code in it, as HTML."""
    return CODE.sub(r"<code>\1</code>", html.escape(text))


def element(tag: str, content: str, **attributes: str) -> str:
    """An element around HTML."""
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{written}>{content}</{tag}>"


def results(markdown: str) -> str:
    """The tables of table8.md, each with its notes, as HTML."""
    parts = []
    for kind, group in itertools.groupby(markdown.splitlines(), key=lambda line: line[:1]):
        lines = list(group)
        if kind == "|":
            parts.append(results_table(lines))
        elif kind == "-":
            parts.append(element("ul", "".join(element("li", inline(line[2:])) for line in lines)))
    return "\n".join(parts)


def results_table(lines: list[str]) -> str:
    """A table in Markdown as HTML; its second column names the models."""
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    head = "".join(element("th", inline(cell), scope="col") for cell in header)
    rows = []
    for pairs, family, *figures in body:
        first = element("td", inline(pairs)) + element("th", inline(family), scope="row")
        rows.append(element("tr", first + "".join(element("td", inline(cell)) for cell in figures)))
    return scrolling(
        element("table", element("thead", element("tr", head)) + element("tbody", "".join(rows))),
        f"Table: {header[0]}",
    )


def scrolling(content: str, name: str) -> str:
    """Content that scrolls by itself where the screen is narrow, with the keyboard too."""
    return element("div", content, tabindex="0", role="region", **{"class": "scroll", "aria-label": name})


def pairs_list(entries: dict[str, Any]) -> str:
    """Names and what they stand for; a list stands below each other."""
    found = []
    for name, value in entries.items():
        values = value if isinstance(value, list) else [value]
        written = "".join(element("dd", element("code", html.escape(str(v)))) for v in values)
        found.append(element("dt", html.escape(name)) + written)
    return element("dl", "".join(found))


def versions_text(versions: dict[str, str]) -> str:
    """``name version, ...``."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def configuration_html(found: dict[str, Any], signatures: dict[str, str], command: str) -> str:
    """The section on how all this was run."""
    versions = {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in VERSIONS}}
    parts = [
        pairs_list(
            {
                "experiment": [f"{file['path']} sha256 {file['sha256']}" for file in found["files"]],
                "data": [f"signature {found['data']['identity']}", found["data"]["command"],
                         versions_text(found["data"]["versions"])],
                **signatures,
                "this page": [command, versions_text(versions)],
            }
        )
    ]  # fmt: skip
    for test, texts in found["tests"].items():
        lines = [f"{path} sha256 {value}" for path, value in zip(texts["files"], texts["sha256"], strict=True)]
        parts.append(pairs_list({f"test set {test}": lines}))
    for file in found["files"]:
        parts.append(details(f"The file {file['path']}", element("pre", html.escape(file["text"]), tabindex="0")))
    for model in found["models"]:
        translations = [f"{test}: {how['checkpoint']}, beam {how['beam']}, sha256 {how['sha256']}"
                        for test, how in model["translations"].items()]  # fmt: skip
        content = {
            "architecture": model["arch"],
            "updates": model["updates"],
            "threads": model["threads"],
            "command": shlex.join(["python", *model["command"]]),
            "data": f"signature {model['data']}",
            "versions": versions_text(model["versions"]),
            "checkpoint_best.pt": f"sha256 {model['checkpoint_sha256']}",
            "translations": translations,
        }
        parts.append(details(model["name"], pairs_list(content)))
    return "\n".join(parts)


def details(summary: str, content: str) -> str:
    """A part that is opened by its reader."""
    return element("details", element("summary", html.escape(summary)) + content)


def collect(experiment: TranslationExperiment, *, limit: int, examples: int) -> dict[str, Any]:
    """All data of the page, by the names of their elements; sentences and examples have one of their own per test set.

    Args:
        experiment: whose cells are all trained and scored.
        limit: sentences of a test set in the viewer, at most.
        examples: sentences of a test set in the explorer, at most.

    Raises:
        ValueError: if something is missing or damaged, or texts are not aligned.
    """
    material = report_data.Material(experiment)
    tests = list(experiment.tests)
    sentences = [report_data.sentences(material, test, limit) for test in tests]
    units = explorer(material, examples)
    overview = {
        "tests": [{"name": test, "total": found["total"], "embedded": len(found["rows"])}
                  for test, found in zip(tests, sentences, strict=True)],
        "systems": [report_data.system_name(experiment, cell) for cell in report_data.first_seed(experiment)],
        "seed": experiment.seeds[0],
        "languages": experiment.target_pair.split("-"),
        "curves": draw_curves(experiment, learning_curves(experiment)),
        "lengths": [draw_lengths(experiment, report_data.bleu_by_length(material, test)) for test in tests],
        "models": [model["name"] for model in units],
        "no_units": NO_RIMS if examples else NO_EXAMPLES,
        "no_fitting": NO_FITTING,
        "no_sentences": NO_SENTENCES if not limit else "",
    }  # fmt: skip
    return {
        "overview": overview,
        **{f"sentences-{number}": found["rows"] for number, found in enumerate(sentences)},
        **{f"units-{i}-{j}": model["tests"][test] for i, model in enumerate(units) for j, test in enumerate(tests)},
    }


def assemble(
    experiment: TranslationExperiment,
    *,
    table: dict[str, Any],
    data: dict[str, Any],
    configuration: dict[str, Any],
    command: str,
) -> str:
    """Put the page together."""
    plotly, viewer = get_plotlyjs(), (PAGE / "viewer.js").read_text(encoding="utf-8")
    signatures = {"BLEU": table["signatures"]["bleu"], "chrF": table["signatures"]["chrf"],
                  "sentence chrF": report_data.sentence_signature()}  # fmt: skip
    seeds = ", ".join(map(str, experiment.seeds))
    fields = {
        "name": html.escape(experiment.name),
        "pair": html.escape(experiment.target_pair),
        "style": (PAGE / "style.css").read_text(encoding="utf-8"),
        "allowed": f"{content_hash(plotly)} {content_hash(viewer)}",
        "table": results(table8.markdown(table, experiment.tests)),
        "seeds": f"{'seed' if len(experiment.seeds) == 1 else 'mean of the seeds'} {seeds}",
        "configuration": configuration_html(configuration, signatures, command),
        "data": "\n".join(data_element(name, content) for name, content in data.items()),
        "plotly": plotly,
        "viewer": viewer,
    }
    return string.Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(fields)


def write_report(config: str, *, limit: int, examples: int, command: str) -> Path:
    """Collect, assemble and write; returns the page's path.

    Raises:
        ValueError: if the options are out of range, or the experiment is not finished.
    """
    for name, value in (("--sentences", limit), ("--examples", examples)):
        if value < 0:
            raise ValueError(f"{name} must be at least 0, got {value}")
    experiment = load_translation(config)
    table, configuration = report_data.read_table(experiment), report_data.configuration(experiment)
    data = collect(experiment, limit=limit, examples=examples)
    path = experiment.root / "report.html"
    write_text(path, assemble(experiment, table=table, data=data, configuration=configuration, command=command))
    return path


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the page's path and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  python scripts/report.py --config configs/demo.yaml\n"
        "  python scripts/report.py --config configs/table8_formal.yaml --sentences 3000 --examples 30\n"
        "  python scripts/report.py --config configs/table8_formal.yaml --sentences 0 --examples 0  # no text",
    )
    parser.add_argument("--config", required=True, metavar="YAML",
                        help="experiment file; its table must be made. Translations, units and attention are those of "
                        "its first seed")  # fmt: skip
    count: dict[str, Any] = {"type": int, "metavar": "N"}
    text = "sentences of a test set in the viewer, at most, evenly spaced (default: %(default)s; 0: none)"
    parser.add_argument("--sentences", default=1000, help=text, **count)
    text = "sentences of a test set whose units and attention can be looked at (default: %(default)s; 0: none)"
    parser.add_argument("--examples", default=12, help=text, **count)
    arguments = parser.parse_args(argv)
    command = shlex.join(["python", "scripts/report.py", *(sys.argv[1:] if argv is None else argv)])
    try:
        path = write_report(arguments.config, limit=arguments.sentences, examples=arguments.examples, command=command)
    except ValueError as error:
        print(f"report.py: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, open it in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
