"""The committed results: the page shows the tables, and the tables what was measured."""

import json
import re

import pytest
import sequence_table
from experiment import load_sequences

from tests.system.toy_models import ROOT

RESULTS = ROOT / "results"
TABLES = sorted(RESULTS.glob("*/table.json"))


@pytest.fixture(scope="module")
def page():
    return (RESULTS / "README.md").read_text(encoding="utf-8")


def test_there_are_results():
    assert {path.parent.name for path in TABLES} >= {
        "adding_small", "copying_ablations_small", "copying_short_small", "copying_small", "memorisation_small",
        "programs_small", "wikitext2_small",
    }  # fmt: skip


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_a_table_is_that_of_its_figures_and_of_its_experiment(path):
    table = json.loads(path.read_text(encoding="utf-8"))
    experiment = load_sequences(ROOT / "configs" / f"{path.parent.name}.yaml")
    text = (path.parent / "table.md").read_text(encoding="utf-8")
    assert text == sequence_table.markdown(table, experiment.columns)
    assert [row["family"] for row in table["rows"]] == list(experiment.families)
    assert table["seeds"] == experiment.seeds
    for row in table["rows"]:
        assert row["options"] == experiment.families[row["family"]]["options"]
        for column, result in row["columns"].items():
            assert result["paper"] == experiment.paper.get(row["family"], {}).get(column)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.parent.name)
def test_the_page_has_the_table(path, page):
    rows = [line for line in (path.parent / "table.md").read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert len(rows) > 2 and all(row in page for row in rows)


def test_what_the_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert len(links) > 5
    for link in links:
        assert link.startswith("http") or (RESULTS / link).exists(), link
