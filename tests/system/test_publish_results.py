"""What is published of an experiment: its figures and hashes, none of its text, and no folder of this machine."""

import json

import publish_results
import pytest

from tests.system.toy_experiment import write_experiment

SECRET = "a sentence of the corpus"


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """An experiment with some of the files that the workflow makes."""
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path)
    root = tmp_path / "runs/toy"
    files = {
        "table8.md": "from ../my corpora/news.de\n",
        "table8.png": "\x89PNG",
        "validation.json": "{}\n",
        "units/seed1/task_units.md": "`--text ../my corpora/news.en`\n",
        "activity/activity.json": "{}\n",
        "scores/rims/transfer.hyp": SECRET,
        "report.html": SECRET,
        "data/signature.json": json.dumps(
            {"identity": "abc", "versions": {"torch": "2"}, "seed": 1, "config": {"path": "/home/me"},
             "inputs": {"../my corpora/news.en": {"sha256": "12", "bytes": 3},
                        "../my corpora/a/talks.en": {"sha256": "34", "bytes": 3}}}
        ),
        "data/report.json": json.dumps(
            {"pairs": {"en-de": {"train": [{"read": 7, "dropped": {"length": 1}, "dropped_examples": [SECRET]}]}}}
        ),
    }  # fmt: skip
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def publish(*more):
    return publish_results.main(["--config", "toy.yaml", "--corpora", "../my corpora/", "--output", "out", *more])


def test_figures_and_hashes_and_no_text(measured, tmp_path, capsys):
    assert publish() == 0
    found = {str(path.relative_to(tmp_path / "out")): path.read_text() for path in (tmp_path / "out").rglob("*.*")}
    assert capsys.readouterr().out.splitlines() == [f"out/{name}" for name in [
        "activity/activity.json", "table8.md", "table8.png", "units/seed1/task_units.md", "validation.json",
        "data.json", "inputs.sha256",
    ]]  # fmt: skip
    assert len(found) == 7 and not any(SECRET in text or "my corpora" in text for text in found.values())
    assert found["table8.md"] == "from CORPORA/news.de\n"
    assert found["units/seed1/task_units.md"] == "`--text CORPORA/news.en`\n"
    assert found["inputs.sha256"] == "34  a/talks.en\n12  news.en\n"
    assert json.loads(found["data.json"]) == {
        "identity": "abc", "versions": {"torch": "2"}, "seed": 1,
        "pairs": {"en-de": {"train": [{"read": 7, "dropped": {"length": 1}}]}},
    }  # fmt: skip


@pytest.mark.parametrize("named", ["../my corpora", "../my corpora//", "../x/../my corpora", "absolute"])
def test_the_folder_is_the_same_however_it_is_named(measured, tmp_path, named):
    named = str(tmp_path.parent / "my corpora") if named == "absolute" else named
    assert publish("--corpora", named) == 0
    assert (tmp_path / "out/table8.md").read_text() == "from CORPORA/news.de\n"
    assert (tmp_path / "out/inputs.sha256").read_text() == "34  a/talks.en\n12  news.en\n"


def test_only_the_beginning_of_a_path_is_replaced():
    text = '"data": 1, "x": "data/news.en", --text data/news.de, de=data/news.de, my/data/x, metadata/y'
    assert publish_results.without_folder(text, "data") == (
        '"data": 1, "x": "CORPORA/news.en", --text CORPORA/news.de, de=CORPORA/news.de, my/data/x, metadata/y'
    )


def test_text_of_another_folder_is_refused(measured, tmp_path, capsys):
    assert publish("--corpora", "elsewhere") == 1
    assert "prepared from ../my corpora/a/talks.en, which is not in --corpora elsewhere" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_experiment_without_tables_or_data_is_refused(measured, capsys):
    for name in ("table8.md", "table8.png", "validation.json", "units/seed1/task_units.md", "activity/activity.json"):
        (measured / name).unlink()
    assert publish() == 1
    assert "runs/toy: has no tables; run the workflow" in capsys.readouterr().err
    (measured / "data/signature.json").unlink()
    assert publish() == 1
    assert "signature.json: not found" in capsys.readouterr().err
