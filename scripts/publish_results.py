"""Copy what was measured of an experiment in translation to a folder that can be published: figures, no text.

Tables, pictures, what the units do, the hashes of the text and the counts of its preparation; the folder of the text
is CORPORA in all of them. Translations and the report stay where they are.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from experiment import load_translation
from figures import read_json
from files import write_json, write_text, written_whole
from translation_experiment import TranslationExperiment

TABLES = ("table8.*", "validation.*", "lengths.*", "units/*/task_units.*", "activity/activity.*")
WRITTEN = (".md", ".json", ".csv")
CORPORA = "CORPORA"


def without_text(report: Any) -> Any:
    """The report of the data's preparation without its examples."""
    if isinstance(report, dict):
        return {key: without_text(value) for key, value in report.items() if not key.endswith("examples")}
    return [without_text(value) for value in report] if isinstance(report, list) else report


def data_facts(signature: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What identifies the prepared data, and what was left out of the text and counted."""
    return {key: signature[key] for key in ("identity", "versions", "seed")} | without_text(report)


def without_folder(text: str, corpora: str) -> str:
    """A text with CORPORA in the place of the folder's name, where that begins a path; however it was written."""
    for name in {corpora, str(Path(corpora)), os.path.relpath(corpora), os.path.abspath(corpora)}:
        text = re.sub(rf"(?<![\w./-]){re.escape(name.rstrip('/'))}(?=/)", CORPORA, text)
    return text


def input_hashes(signature: dict[str, Any], corpora: str) -> str:
    """The text that was read, in the form of ``sha256sum``; names are relative to the folder of the corpora.

    Raises:
        ValueError: if a file lies elsewhere.
    """
    root, lines = Path(os.path.abspath(corpora)), []
    for name, found in sorted(signature["inputs"].items()):
        path = Path(os.path.abspath(name))
        if not path.is_relative_to(root):
            raise ValueError(f"the data was prepared from {name}, which is not in --corpora {corpora}; name its folder")
        lines.append(f"{found['sha256']}  {path.relative_to(root)}\n")
    return "".join(lines)


def publish(experiment: TranslationExperiment, corpora: str, output: Path) -> list[Path]:
    """Write all files, each in full or not at all; returns them.

    Raises:
        ValueError: if there is no table, or the data's signature is missing, damaged or of another folder.
    """
    signature = read_json(experiment.data / "signature.json", ("identity", "versions", "seed", "inputs"))
    report = read_json(experiment.data / "report.json", ("pairs",))
    hashes = input_hashes(signature, corpora)
    sources = sorted(path for pattern in TABLES for path in experiment.root.glob(pattern))
    if not sources:
        raise ValueError(f"{experiment.root}: has no tables; run the workflow, it makes them")
    written = [output / path.relative_to(experiment.root) for path in sources]
    for source, target in zip(sources, written, strict=True):
        if source.suffix in WRITTEN:
            write_text(target, without_folder(source.read_text(encoding="utf-8"), corpora))
        else:
            with written_whole(target) as temporary:
                shutil.copyfile(source, temporary)
    write_json(output / "data.json", data_facts(signature, report))
    write_text(output / "inputs.sha256", hashes)
    return [*written, output / "data.json", output / "inputs.sha256"]


def main(argv: list[str] | None = None) -> int:
    """Command line; names what it writes and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  python scripts/publish_results.py --config configs/table8_formal.yaml --corpora DIR --output results/table8",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file whose tables are made")
    parser.add_argument("--corpora", required=True, metavar="DIR", help="folder of the text that was prepared")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of the copies")
    arguments = parser.parse_args(argv)
    try:
        experiment = load_translation(arguments.config)
        for path in publish(experiment, arguments.corpora, arguments.output):
            print(path)
    except ValueError as error:
        print(f"publish_results.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
