"""The report: its data, and the page in a browser, from an experiment of tiny trained models."""

import dataclasses
import html
import json
import math
import os
import re
import shutil
from pathlib import Path

import families
import learning_curves
import length_table
import pytest
import report
import report_charts
import report_data
import report_units
import table8
import transfer_eval
from cells import Cell
from experiment import load_translation
from sacrebleu.metrics import BLEU, CHRF
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from data_prep import experiment_file
from data_prep.prepare import prepare as prepare_data
from fairseq_plugins.inspection import load_subject
from fairseq_plugins.scoring import read_lines
from tests.system import toy_experiment, toy_models

HOSTILE = '</script><script>window.hacked=1</script><!-- <img src=x onerror="window.hacked=1"> & the tree.'
FAMILIES = {"rims": {"arch": "rims_seq2seq_tiny"}, "lstm": {"arch": "lstm_seq2seq_tiny"}}
COUNTS = {"in_domain": 60, "transfer": 7}


@pytest.fixture(scope="module", autouse=True)
def long_examples():
    """A model that is trained so little may write a hundred subwords and more for every sentence."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_units, "LONGEST", 500)
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished experiment: four models, two test sets, the first of which has a hostile sentence."""
    root = tmp_path_factory.mktemp("report")
    path = toy_experiment.write_experiment(root, updates=12, families=FAMILIES)
    for seed, (test, count) in enumerate(COUNTS.items()):
        toy_experiment.write_text(root / "text", test, count, 10 + seed)
    for language in ("en", "de"):
        text = root / "text" / f"in_domain.{language}"
        lines = text.read_text().splitlines()
        text.write_text("".join(line + "\n" for line in [*lines[:3], HOSTILE, "the " * 30 + "cat.", *lines[5:]]))
    with toy_models.folder(root):
        prepare_data(experiment_file.load(path.relative_to(root)))
        experiment = load_translation("toy.yaml")
        processes = [toy_models.train(root, cell.family, cell.setting) for cell in experiment.cells()]
        for process in processes:
            output = process.communicate(timeout=300)[0]
            assert process.returncode == 0, output
        for cell in experiment.cells():
            score_cell(experiment, cell)
        spoil(experiment, Cell("lstm", "single", 1))
        assert table8.main(["--config", "toy.yaml"]) == 0
    return root


def score_cell(experiment, cell):
    """Translate and score, as the workflow does."""
    for test in experiment.tests:
        source, reference = experiment.test_files(test)
        arguments = {"model": experiment.model_dir(cell), "source": source, "reference": reference,
                     "output": experiment.score_file(cell, test).with_suffix(""), "beam": 1}  # fmt: skip
        status = transfer_eval.main([str(w) for name, value in arguments.items() for w in (f"--{name}", value)])
        assert status == 0


def spoil(experiment, cell):
    """Let a model's translation of the hostile sentence be hostile too."""
    path = experiment.score_file(cell, "in_domain").with_suffix(".hyp")
    lines = read_lines(path)
    path.write_text("".join(line + "\n" for line in [*lines[:3], HOSTILE, *lines[4:]]))


@pytest.fixture
def experiment(trained, monkeypatch):
    """The finished experiment; for reading only."""
    monkeypatch.chdir(trained)
    return load_translation("toy.yaml")


@pytest.fixture
def copy(trained, tmp_path, monkeypatch):
    """A copy of the finished experiment, to be damaged."""
    shutil.copytree(trained, tmp_path / "copy", ignore=shutil.ignore_patterns("checkpoint_last.pt", "report.html"))
    monkeypatch.chdir(tmp_path / "copy")
    return load_translation("toy.yaml")


@pytest.fixture(scope="module")
def page(trained):
    """The path of the experiment's report."""
    with toy_models.folder(trained):
        assert report.main(["--config", "toy.yaml", "--examples", "3"]) == 0
        return trained / load_translation("toy.yaml").root / "report.html"


def embedded(page, name):
    """The data of an element of the page."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', text, re.DOTALL).group(1))


# ---- the data ----


def test_buckets_of_length_hold_every_sentence_once():
    lines = ["", "a", "a " * 5, "a " * 6, "a " * 40, "a " * 41, "a " * 400]
    assert report_data.length_buckets(lines) == {"0–5": [0, 1, 2], "6–10": [3], "31–40": [4], "> 40": [5, 6]}
    assert report_data.length_buckets(lines[1:4]) == {"1–5": [0, 1], "6–10": [2]}


def test_bleu_by_length_is_sacrebleus_of_the_bucket(experiment):
    material = report_data.Material(experiment)
    found = report_data.bleu_by_length(material, "in_domain")
    assert found["sentences"] == [len(n) for n in report_data.length_buckets(material.sources["in_domain"]).values()]
    numbers = report_data.length_buckets(material.sources["in_domain"])["6–10"]
    source, reference = (read_lines(path) for path in experiment.test_files("in_domain"))
    assert all(6 <= len(source[number].split()) <= 10 for number in numbers)
    hypotheses = read_lines(experiment.score_file(Cell("rims", "single", 1), "in_domain").with_suffix(".hyp"))
    expected = BLEU().corpus_score([hypotheses[n] for n in numbers], [[reference[n] for n in numbers]]).score
    place = found["buckets"].index("6–10")
    assert found["bleu"]["rims", "single"][place]["values"] == [pytest.approx(expected, abs=0.005)]


def test_bleu_by_length_is_the_mean_over_the_seeds(experiment):
    material = report_data.Material(dataclasses.replace(experiment, seeds=[1, 2]))
    reference = material.references["in_domain"]
    lines = {1: ["nothing of it"] * len(reference), 2: reference}
    vars(material)["hypotheses"] = {
        cell: {"in_domain": lines[cell.seed]} for cell in material.experiment.cells()
    }  # as if they were read
    found = report_data.bleu_by_length(material, "in_domain")
    bucket = found["bleu"]["rims", "single"][found["buckets"].index("6–10")]
    assert (bucket["mean"], bucket["std"]) == (pytest.approx(50, abs=0.01), pytest.approx(100 / 2**0.5, abs=0.01))


def test_bleu_by_length_as_a_table(copy, capsys):
    assert length_table.main(["--config", "toy.yaml"]) == 0
    text = capsys.readouterr().out
    assert text == (copy.root / "lengths.md").read_text()
    found = report_data.bleu_by_length(report_data.Material(copy), "transfer")
    assert json.loads((copy.root / "lengths.json").read_text())["tests"]["transfer"]["sentences"] == found["sentences"]
    figures = " | ".join(f"{figure['mean']:.2f}" for figure in found["bleu"]["rims", "single"])
    assert "(how many), seed 1: `nrefs:1|case:mixed" in text
    assert f"| RIMs, en-de | {figures} |" in text.split("| transfer |")[1]
    copy.score_file(Cell("rims", "single", 1), "transfer").with_suffix(".hyp").write_text("one line\n")
    assert length_table.main(["--config", "toy.yaml"]) == 1
    assert "transfer.hyp has 1 lines but" in capsys.readouterr().err


def test_sentences_have_sacrebleus_chrf_and_stand_in_their_line(experiment):
    found = report_data.sentences(report_data.Material(experiment), "in_domain", 1000)
    assert found["total"] == len(found["rows"]) == 60
    reference = read_lines(experiment.test_files("in_domain")[1])
    for line, words, source, expected, translations, scores in found["rows"]:
        assert expected == reference[line - 1] and words == len(source.split())
        for text, score in zip(translations, scores, strict=True):
            assert score == pytest.approx(CHRF().sentence_score(text, [expected]).score, abs=0.05)
    lstm = report_data.first_seed(experiment).index(Cell("lstm", "single", 1))
    assert found["rows"][3][4][lstm] == HOSTILE and found["rows"][3][5][lstm] == 100


def test_a_limit_takes_sentences_from_the_whole_text(experiment):
    found = report_data.sentences(report_data.Material(experiment), "in_domain", 6)
    assert found["total"] == 60 and [row[0] for row in found["rows"]] == [1, 11, 21, 31, 41, 51]
    assert report_data.spread_out(0, 5) == [] and report_data.spread_out(3, 5) == [0, 1, 2]


def test_a_learning_curve_follows_its_pair_and_the_later_figures_of_a_resumption():
    log = "".join(
        f'2026-01-01 00:00:00 | INFO | valid | {{"valid_num_updates": "{update}", {rest}}}\n'
        for update, rest in [(2, '"valid_ppl": "9", "valid_en-de_ppl": "8"'), (4, '"valid_ppl": "7"'),
                             (2, '"valid_ppl": "6", "valid_en-de_ppl": "5"')]
    )  # fmt: skip
    assert learning_curves.learning_curve(log, "en-de") == [(2, 5.0), (4, 7.0)]
    assert learning_curves.learning_curve("nothing", "en-de") == []


def test_examples_are_short_and_long_and_have_a_translation():
    most = report_units.LONGEST
    lengths = [7, 1, 3, most + 1, 0, 5, 2]
    assert report_units.choose_examples(lengths, [1] * 5 + [0, 1], 2) == [1, 2]
    assert report_units.choose_examples(lengths, [1] * 7, 100) == [0, 1, 2, 5, 6]
    assert report_units.choose_examples(lengths, [0] * 7, 3) == []
    assert report_units.choose_examples([1, 2], [most + 1, most], 3) == [1]


def test_a_perplexity_that_is_not_finite_is_a_gap(experiment):
    curves = {cell: [(2, math.inf), (4, math.nan), (6, 5.0)] for cell in experiment.cells()}
    figure = report_charts.draw_curves(experiment, curves)
    assert figure["data"][0]["y"] == [None, None, 5.0]
    report.embedded(figure)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([95.0, 70.0, 60.0], [60, 70, 80, 90, 100]),
        ([95.0, 8.0], [5, 10, 20, 50]),
        ([61.2, 61.9], [61.2, 61.4, 61.8]),
        ([7.0], [7]),
        ([1e5, 9.0], [10, 1e5]),
        ([], [1]),
    ],
)
def test_the_axis_of_perplexity_has_round_labels(values, shown):
    assert set(shown) <= set(report_charts.round_ticks(values))


def test_every_model_has_a_line_and_a_name_of_its_own(experiment):
    families = {f"family{number}": {"arch": "x", "options": []} for number in range(7)}
    settings = {"small": ["en-de"], "large": ["en-de"], "both": ["en-de", "en-fr"]}
    many = dataclasses.replace(experiment, families=families, settings=settings)
    styles = report_charts.line_styles(many).values()
    assert len({json.dumps(style, sort_keys=True) for style in styles}) == len(many.cells()) == 21
    names = [report_data.system_name(many, cell) for cell in many.cells()]
    assert len(set(names)) == 21 and "family0, en-de (large)" in names and "family0, en-de + en-fr" in names


def test_units_and_attention_of_the_examples(experiment, page):
    material = report_data.Material(experiment)
    assert embedded(page, "overview")["models"] == ["RIMs, en-de", "RIMs, en-de + en-fr"]
    for cell, number in ((Cell("rims", "single", 1), 0), (Cell("rims", "multitask", 1), 1)):
        examples = embedded(page, f"units-{number}-1")
        assert len(examples) == 3
        for example in examples:
            assert example["source"] == material.sources["transfer"][example["line"] - 1]
            assert example["written"] == material.hypotheses[cell]["transfer"][example["line"] - 1]
            titles = [layer["title"] for layer in example["layers"]]
            assert titles == ["encoder forward", "encoder backward", "decoder"]
            for layer in example["layers"]:
                assert len(layer["reads"]) == len(layer["tokens"])
                assert all(sum(value is not None for value in step) == 4 for step in layer["reads"])  # k_A
            assert "".join(example["reads"][:-1]).replace("▁", " ").strip() == example["source"]
            assert example["writes"] == [*example["layers"][2]["tokens"][1:], "</s>"]
            assert len(example["attention"]) == len(example["writes"])
            for row in example["attention"]:
                assert len(row) == len(example["reads"]) and sum(row) == pytest.approx(1, abs=0.02)


def test_data_cannot_leave_their_element():
    hostile = {"<a>": HOSTILE, "b": "\u2028]]>&amp;"}
    text = report.embedded(hostile)
    assert not set("<>&\u2028") & set(text) and json.loads(text) == hostile


def test_names_and_commands_are_escaped():
    table = report.results("# x\n\n| a | model |\n|---|---|\n| <b> | `<i>` |\n\n- *: `nrefs:1|case` <u>\n")
    assert "<td>&lt;b&gt;</td>" in table and "<code>&lt;i&gt;</code>" in table
    assert "<li>*: <code>nrefs:1|case</code> &lt;u&gt;</li>" in table
    assert report.pairs_list({"<x>": ["&"]}) == "<dl><dt>&lt;x&gt;</dt><dd><code>&amp;</code></dd></dl>"


def test_the_page_has_the_table_the_signatures_and_the_hashes(experiment, page):
    text = page.read_text(encoding="utf-8")
    table = json.loads((experiment.root / "table8.json").read_text())
    for row in table["rows"]:
        assert f">{table8.plus_minus(row['tests']['transfer']['bleu'])}" in text
        assert f"<td>{row['paper_bleu']:.2f}</td>" in text
    for signature in (*table["signatures"].values(), "eff:yes|nc:6"):
        assert signature in text
    for cell in experiment.cells():
        assert report_data.sha256(experiment.model_dir(cell) / "checkpoint_best.pt") in text
    assert json.loads((experiment.data / "signature.json").read_text())["identity"] in text
    assert text.count("plotly.js v") == 1
    assert "python scripts/report.py --config toy.yaml --examples 3" in text
    assert "transfer: checkpoint_best.pt, beam 1, sha256 " in text


def test_the_file_of_the_data_is_shown_too(experiment, tmp_path):
    assert [file["path"] for file in report_data.configuration(experiment)["files"]] == ["toy.yaml"]
    path = tmp_path / "data.yaml"
    path.write_text("name: of the data\n")
    found = report_data.configuration(dataclasses.replace(experiment, data_file=path))
    assert [file["path"] for file in found["files"]] == ["toy.yaml", str(path)]
    assert found["files"][1]["text"] == "name: of the data\n"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("table8.json", r"table8.json: not found; make the table first: python scripts/table8.py --config toy.yaml"),
        ("models/rims.single.seed1/train.log", "train.log: not found, so there is no learning curve"),
        ("models/lstm.single.seed1/model.json", "model.json: not found, so this cell is not finished"),
        ("models/rims.multitask.seed1/checkpoint_best.pt", "checkpoint_best.pt: cannot be read"),
        ("models/lstm.multitask.seed1/checkpoint_best.pt", "checkpoint_best.pt: cannot be read"),
        ("scores/lstm.single.seed1/transfer.hyp", "transfer.hyp: cannot be read"),
        ("data/tests/transfer/en-de.src", "en-de.src: cannot be read"),
        ("data/signature.json", "signature.json: not found"),
    ],
)
def test_what_is_missing_is_named(copy, capsys, what, message):
    (copy.root / what).unlink()
    assert report.main(["--config", "toy.yaml", "--examples", "1"]) == 1
    assert re.search(f"^report.py: .*{message}", capsys.readouterr().err, re.MULTILINE)
    assert not (copy.root / "report.html").exists()


def test_a_log_without_a_figure_is_named(copy, capsys):
    path = copy.model_dir(Cell("rims", "single", 1)) / "train.log"
    path.write_text("nothing\n")
    assert report.main(["--config", "toy.yaml"]) == 1
    assert f"{path}: has no validation of en-de" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["scores/rims.single.seed1/transfer.hyp", "models/rims.single.seed1/checkpoint_best.pt"]
)
def test_the_table_of_other_translations_or_models_is_refused(copy, capsys, name):
    path = copy.root / name
    path.write_text("one line\n")
    assert report.main(["--config", "toy.yaml"]) == 1
    message = capsys.readouterr().err
    assert f"table8.json: was made from other files than {path}; make it again: python" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda table: table["rows"].pop(),
            "is the table of other models or test sets than toy.yaml has; make it again",
        ),
        (lambda table: table["rows"][0].pop("gaps"), "was made by an older version; make it again"),
        (lambda table: table.pop("comparisons"), "has no 'comparisons'; remove it and run the workflow"),
        (lambda table: table["options"].pop(), "was made with other options than toy.yaml has; make it again"),
        (lambda table: table.update(seeds=[2]), "was made with other seeds than toy.yaml has; make it again"),
        (lambda table: table["search"].update(beam=1), "was made with other search than toy.yaml has; make it again"),
        (lambda table: table["families"]["rims"].update(arch="x"), "was made with other families than toy.yaml has"),
    ],
)
def test_the_table_of_another_experiment_is_refused(copy, capsys, change, message):
    path = copy.root / "table8.json"
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))
    assert report.main(["--config", "toy.yaml"]) == 1
    assert f"table8.json: {message}" in capsys.readouterr().err


def leave_out_rims(experiment):
    """Take the family out of the experiment, and make the table again."""
    text = experiment.path.read_text()
    experiment.path.write_text(text.replace("    rims:\n      arch: rims_seq2seq_tiny\n", ""))
    assert table8.main(["--config", "toy.yaml"]) == 0


def test_the_workflow_writes_it(copy):
    leave_out_rims(copy)  # whose layer would be compiled again
    status, output = toy_models.snakemake(Path.cwd(), "runs/toy/report.html", "--allowed-rules", "report")
    assert status == 0, output
    assert "training" not in output and len(embedded(copy.root / "report.html", "sentences-0")) == 60


def test_a_model_that_has_diverged_is_named(copy, capsys, monkeypatch):
    def diverged(*arguments, **options):
        subject = load_subject(*arguments, **options)
        for name, parameter in subject.model.named_parameters():
            if "attention" in name and "core" not in name:
                parameter.data.fill_(math.nan)
        return subject

    monkeypatch.setattr(report_units, "load_subject", diverged)
    assert report.main(["--config", "toy.yaml", "--examples", "1"]) == 1
    assert "rims.single.seed1" in (message := capsys.readouterr().err)
    assert "its training has diverged; train it with other options, or make the page without examples" in message


@pytest.mark.parametrize(("option", "value"), [("--sentences", "-1"), ("--examples", "-1")])
def test_options_out_of_range(experiment, capsys, option, value):
    assert report.main(["--config", "toy.yaml", option, value]) == 1
    assert f"{option} must be at least" in capsys.readouterr().err


# ---- the page in a browser ----


def find_browser():
    """Chromium and its driver; where one is missing the test is skipped, or fails if REQUIRE_BROWSER is set."""
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        end = pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip
        end("chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)")
    return found


@pytest.fixture(scope="module")
def chromium():
    """A headless browser."""
    program, driver = find_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium, page):
    """The page, opened anew; afterwards nothing went wrong in it, ran from a text, or was loaded from elsewhere."""
    show(chromium, page)
    yield chromium
    assert chromium.get_log("browser") == []
    assert chromium.execute_script("return window.hacked") is None
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}
    assert asked and all(url == page.as_uri() or url.startswith("data:") for url in asked)


def show(browser, page, width=1280, height=900):
    """Open a page in a window of this size; a narrow one is that of a phone."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": width < 500})
    browser.get_log("performance")  # of the page before
    browser.get(page.as_uri())


def by_id(browser, name):
    return browser.find_element(By.ID, name)


def choose(browser, name, text):
    Select(by_id(browser, name)).select_by_visible_text(text)


def listed(browser):
    """The entries of the list of sentences."""
    return browser.find_elements(By.CSS_SELECTOR, "#sentence-list button")


def is_ended(browser, name):
    """Whether a button leads no further."""
    return by_id(browser, name).get_attribute("aria-disabled") == "true"


def table_texts(part):
    """The rows of the table in a part of the page, seen or not."""
    rows = part.find_elements(By.TAG_NAME, "tr")
    return [[cell.get_property("textContent") for cell in row.find_elements(By.XPATH, "*")] for row in rows]


def chosen_line(browser):
    """Number of the sentence that is shown."""
    return int(re.search(r"line (\d+)", by_id(browser, "sentence").text).group(1))


def see(browser, section):
    """Scroll to a section and wait until it is drawn; returns its charts."""
    browser.execute_script("document.getElementById(arguments[0]).scrollIntoView()", section)
    charts = f"#{section} .chart .main-svg"
    WebDriverWait(browser, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, charts))
    return browser.find_elements(By.CSS_SELECTOR, f"#{section} .js-plotly-plot")


def plotted(browser, chart):
    """What plotly holds of a chart: its traces, and the texts on the axes."""
    script = "const c = arguments[0]; return [c.data.length, c.layout.xaxis.ticktext, c.data[0].z]"
    return browser.execute_script(script, chart)


def test_the_page_shows_table_and_charts(browser, experiment):
    assert browser.title == "toy: report"
    rows = browser.find_elements(By.CSS_SELECTOR, "#results tbody tr")
    assert [row.text.split()[:2] for row in rows[:2]] == [["en-de", "RIMs"], ["en-de", "LSTM"]]
    (curves,) = see(browser, "curves")
    assert plotted(browser, curves)[0] == len(experiment.cells())
    assert "RIMs, en-de + en-fr" in curves.text and "updates" in curves.text
    lengths = see(browser, "lengths")
    assert len(lengths) == 2 and "words of the source" in lengths[0].text
    assert [title.text for title in browser.find_elements(By.CSS_SELECTOR, "#lengths h3")] == ["in domain", "transfer"]


def test_sentences_are_sorted_by_difference_and_length(browser, page):
    rows = {row[0]: row for row in embedded(page, "sentences-0")}
    names = embedded(page, "overview")["systems"]
    a, b = names.index("RIMs, en-de + en-fr"), names.index("LSTM, en-de")
    choose(browser, "system-a", names[a])
    choose(browser, "system-b", names[b])
    choose(browser, "order", "B better than A")
    shown = [int(entry.text.split()[0]) for entry in listed(browser)]
    differences = [rows[line][5][b] - rows[line][5][a] for line in shown]
    assert differences == sorted(differences, reverse=True) and len(shown) == 25
    assert chosen_line(browser) == shown[0] == 4
    choose(browser, "order", "A better than B")
    assert chosen_line(browser) != 4
    choose(browser, "order", "longest first")
    assert chosen_line(browser) == 5
    choose(browser, "order", "shortest first")
    shown = [int(entry.text.split()[0]) for entry in listed(browser)]
    assert [rows[line][1] for line in shown] == sorted(row[1] for row in rows.values())[:25]
    choose(browser, "order", "largest difference")
    shown = [int(entry.text.split()[0]) for entry in listed(browser)]
    differences = [abs(rows[line][5][b] - rows[line][5][a]) for line in shown]
    assert differences == sorted(differences, reverse=True)
    choose(browser, "order", "A worst first")
    shown = [int(entry.text.split()[0]) for entry in listed(browser)]
    assert [rows[line][5][a] for line in shown] == sorted(row[5][a] for row in rows.values())[:25]


def test_another_system_leaves_the_sentence_chosen(browser, page):
    names = embedded(page, "overview")["systems"]
    choose(browser, "order", "A better than B")
    listed(browser)[20].click()
    line = chosen_line(browser)
    for system in names:
        choose(browser, "system-a", system)
        assert chosen_line(browser) == line
    assert browser.find_element(By.CSS_SELECTOR, '[aria-current="true"]').text.startswith(f"{line} ")


def test_a_sentence_is_picked_and_another_test_set_chosen(browser, page):
    row = embedded(page, "sentences-0")[6]
    listed(browser)[6].click()
    text = by_id(browser, "sentence").text
    assert chosen_line(browser) == 7 and row[2] in text and row[3] in text
    for name, written, score in zip(embedded(page, "overview")["systems"], row[4], row[5], strict=True):
        assert name in text and written[:40].strip() in text and f"chrF {score:.1f}" in text
    choose(browser, "test-set", "transfer")
    assert len(listed(browser)) == 7 and chosen_line(browser) == 1
    assert embedded(page, "sentences-1")[0][2] in by_id(browser, "sentence").text
    assert "All 7 sentences" in by_id(browser, "embedded").text


def test_pages_and_search(browser, page):
    assert by_id(browser, "place").text == "1–25 of 60" and is_ended(browser, "previous")
    by_id(browser, "next").click()
    by_id(browser, "next").click()
    assert by_id(browser, "place").text == "51–60 of 60" and is_ended(browser, "next")
    assert len(listed(browser)) == 10 and chosen_line(browser) == 51
    # At the end the button keeps the focus, and does nothing.
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "next" and chosen_line(browser) == 51
    by_id(browser, "search").send_keys("THE RIVER")
    expected = [row[0] for row in embedded(page, "sentences-0") if "the river" in row[2]]
    assert [int(entry.text.split()[0]) for entry in listed(browser)] == expected[:25]
    by_id(browser, "search").send_keys(" xyz")
    assert listed(browser) == [] and by_id(browser, "place").text == "no sentence has this text"
    assert by_id(browser, "sentence").text == ""


def test_the_keyboard_suffices(browser):
    listed(browser)[0].click()
    press = browser.switch_to.active_element.send_keys
    press(Keys.ARROW_DOWN)
    assert chosen_line(browser) == 2
    assert browser.switch_to.active_element.get_attribute("aria-current") == "true"
    for key, line in [(Keys.PAGE_DOWN, 27), (Keys.ARROW_UP, 26), (Keys.ARROW_UP, 25), (Keys.END, 60), (Keys.HOME, 1)]:
        browser.switch_to.active_element.send_keys(key)
        assert chosen_line(browser) == line
    # One entry of the list is a stop of the tabulator, and the stop is seen.
    assert len([entry for entry in listed(browser) if entry.get_attribute("tabindex") == "0"]) == 1
    for button in ("previous", "next"):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        assert browser.switch_to.active_element.get_attribute("id") == button
    assert browser.switch_to.active_element.value_of_css_property("outline-style") == "solid"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert by_id(browser, "place").text == "26–50 of 60"


def test_a_hostile_sentence_is_text(browser):
    by_id(browser, "search").send_keys("window.hacked")
    assert [int(entry.text.split()[0]) for entry in listed(browser)] == [4]
    assert by_id(browser, "sentence").text.count(HOSTILE) == 3  # source, reference, a translation
    assert browser.find_elements(By.CSS_SELECTOR, "main img") == []
    # What could do harm is refused by the page's policy too.
    browser.execute_script("const s = document.createElement('script'); s.textContent = 'window.hacked = 1';"
                           "document.body.append(s)")  # fmt: skip
    assert browser.execute_script("return window.hacked") is None
    assert "Content Security Policy" in browser.get_log("browser")[0]["message"]


def test_the_units_of_a_sentence(browser, page):
    charts = see(browser, "units")
    titles = [title.text for title in browser.find_elements(By.CSS_SELECTOR, "#units h3")]
    assert titles == ["encoder forward", "encoder backward", "decoder", "attention of the decoder"]
    assert len(charts) == 4
    example = embedded(page, "units-0-0")[0]
    assert example["source"] in by_id(browser, "unit-text").text
    _, tokens, values = plotted(browser, charts[0])
    assert len(values) == 6 and len(values[0]) == len(tokens) == len(example["layers"][0]["tokens"])
    assert is_ended(browser, "unit-previous") and not is_ended(browser, "unit-next")
    sources = [example["source"] for example in embedded(page, "units-0-0")]
    for button, place in [("next", 1), ("next", 2), ("next", 2), ("previous", 1)]:
        by_id(browser, f"unit-{button}").click()
        assert sources[place] in by_id(browser, "unit-text").text
        assert browser.switch_to.active_element.get_attribute("id") == f"unit-{button}"
    Select(by_id(browser, "unit-sentence")).select_by_index(2)
    assert sources[2] in by_id(browser, "unit-text").text and is_ended(browser, "unit-next")
    choose(browser, "unit-model", "RIMs, en-de + en-fr")
    choose(browser, "unit-test", "transfer")
    example = embedded(page, "units-1-1")[0]
    assert example["source"] in by_id(browser, "unit-text").text
    charts = see(browser, "units")
    _, tokens, values = plotted(browser, charts[3])
    assert values == example["attention"] and len(tokens) == len(example["reads"])


def test_the_figures_of_a_chart_are_a_table(browser, page):
    see(browser, "units")
    part = browser.find_element(By.CSS_SELECTOR, "#units figure details")
    assert table_texts(part) == []  # built when it is opened
    part.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda b: part.find_elements(By.TAG_NAME, "table"))
    layer = embedded(page, "units-0-0")[0]["layers"][0]
    header, *rows = table_texts(part)
    assert header[1:] == layer["tokens"] and [row[0] for row in rows] == list("012345")
    for step, values in enumerate(layer["reads"]):
        shown = [None if row[step + 1] == "inactive" else float(row[step + 1]) for row in rows]
        assert shown == pytest.approx([value if value is None else round(value, 2) for value in values], abs=0.011)
    part.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
    assert part.get_attribute("open") is None


def test_the_figures_of_lines_are_tables(browser, page):
    overview = embedded(page, "overview")
    for section, charts in (("curves", [overview["curves"]]), ("lengths", overview["lengths"])):
        see(browser, section)
        for chart, part in zip(charts, browser.find_elements(By.CSS_SELECTOR, f"#{section} details"), strict=True):
            part.find_element(By.TAG_NAME, "summary").send_keys(Keys.ENTER)
            WebDriverWait(browser, 20).until(lambda b, part=part: part.find_elements(By.TAG_NAME, "table"))
            header, *rows = table_texts(part)
            assert header[1:] == [trace["meta"] for trace in chart["data"]]
            for column, trace in enumerate(chart["data"], 1):
                assert [row[0] for row in rows] == [str(place).replace("<br>", " ") for place in trace["x"]]
                assert [float(row[column]) for row in rows] == trace["y"]


def test_the_dark_form_draws_the_charts_anew(browser):
    (chart,) = see(browser, "curves")
    colour = "return arguments[0]._fullLayout.font.color"
    assert browser.execute_script(colour, chart) == "#1b1f24"
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    try:
        WebDriverWait(browser, 20).until(lambda b: b.execute_script(colour, chart) == "#e6e9ed")
        assert (
            browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color") == "rgba(20, 24, 29, 1)"
        )
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_tokens_and_names_with_tags_are_text(chromium, copy, monkeypatch):
    monkeypatch.setitem(families.LABELS, "rims", HOSTILE)
    browser, page = chromium, copy.root.absolute() / "report.html"
    data = report.collect(copy, limit=5, examples=1)
    example = data["units-0-0"][0]
    tokens = ["<b>bold</b>", "<a href='javascript:window.hacked=1'>x</a>"]
    example["layers"] = [{"title": HOSTILE, "tokens": tokens, "reads": [[0.5, None], [None, 1.0]]}]
    example["reads"] = example["writes"] = tokens
    example["attention"] = [[0.5, 0.5], [1.0, 0.0]]
    table, configuration = report_data.read_table(copy), report_data.configuration(copy)
    hostile = dataclasses.replace(copy, name=HOSTILE)
    text = report.assemble(hostile, table=table, data=data, configuration=configuration, command="python")
    page.write_text(text, encoding="utf-8")
    show(browser, page)
    charts = see(browser, "units")
    assert browser.find_elements(By.CSS_SELECTOR, "#units svg a") == []
    assert all("<b>bold</b>" in chart.text for chart in charts)
    assert browser.find_element(By.CSS_SELECTOR, "#units h3").text == HOSTILE
    browser.execute_script("Plotly.Fx.hover(arguments[0], {xval: 0, yval: 0}, 'xy')", charts[0])
    assert "<b>bold</b>" in charts[0].find_element(By.CLASS_NAME, "hoverlayer").get_property("textContent")
    (curves,) = see(browser, "curves")
    assert "window.hacked=1" in curves.text
    assert browser.find_element(By.TAG_NAME, "h1").text == HOSTILE and browser.title == f"{HOSTILE}: report"
    assert HOSTILE in browser.find_element(By.CSS_SELECTOR, "#results tbody th").text
    assert browser.find_elements(By.CSS_SELECTOR, "main img") == []
    assert browser.execute_script("return window.hacked") is None
    assert browser.get_log("browser") == []


def test_a_phone_scrolls_down_alone(browser, page):
    show(browser, page, width=390, height=800)
    assert browser.execute_script("return matchMedia('(pointer: coarse)').matches && TOUCHES")
    for section in ("curves", "lengths", "units"):
        see(browser, section)
    for details in browser.find_elements(By.TAG_NAME, "details"):
        browser.execute_script("arguments[0].open = true", details)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width == 390
    beyond = "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 391 " \
             "&& !e.closest('.scroll, pre')).map(e => e.outerHTML.slice(0, 99))"  # fmt: skip
    assert browser.execute_script(beyond) == []
    table = browser.find_element(By.CSS_SELECTOR, "#results .scroll")
    assert table.get_property("scrollWidth") > table.get_property("clientWidth")
    browser.execute_script("arguments[0].scrollLeft = 500", table)
    names = table.find_elements(By.CSS_SELECTOR, "thead th:nth-child(2), tbody th")
    assert {name.rect["x"] for name in names} == {table.rect["x"]}  # still in sight


def test_a_phone_that_is_turned_has_charts_of_another_height(browser, page):
    show(browser, page, width=390, height=800)
    (curves,) = see(browser, "curves")
    narrow = curves.rect["height"]
    size = {"width": 900, "height": 390, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    drawn = curves.find_element(By.CSS_SELECTOR, ".main-svg")
    WebDriverWait(browser, 20).until(lambda _: drawn.rect["height"] == curves.rect["height"] < narrow)


def test_what_was_not_looked_at_is_printed_too(browser):
    charts = "#units .chart .main-svg"
    browser.execute_script("scrollTo(0, 0)")
    assert not browser.find_elements(By.CSS_SELECTOR, charts)
    browser.execute_cdp_cmd("Page.printToPDF", {})
    assert browser.find_elements(By.CSS_SELECTOR, charts)


def test_texts_have_their_language(browser):
    found = [text.get_attribute("lang") for text in by_id(browser, "sentence").find_elements(By.CLASS_NAME, "foreign")]
    assert found == ["en", *["de"] * 5]  # source, reference, four systems
    see(browser, "units")
    found = [text.get_attribute("lang") for text in by_id(browser, "unit-text").find_elements(By.CLASS_NAME, "foreign")]
    assert found == ["en", "de"]


def test_a_page_of_several_seeds(chromium, copy):
    path = copy.path
    path.write_text(path.read_text().replace("  seeds:\n  - 1\n", "  seeds:\n  - 1\n  - 2\n"))
    for cell in copy.cells():
        second = dataclasses.replace(cell, seed=2)
        shutil.copytree(copy.model_dir(cell), copy.model_dir(second))
        shutil.copytree(copy.root / "scores" / cell.name, copy.root / "scores" / second.name)
    assert table8.main(["--config", "toy.yaml"]) == 0
    assert report.main(["--config", "toy.yaml", "--sentences", "3", "--examples", "0"]) == 0
    page = copy.root.absolute() / "report.html"
    overview = embedded(page, "overview")
    assert len(overview["systems"]) == 4 and overview["seed"] == 1
    lines = overview["curves"]["data"]
    assert [line["meta"] for line in lines[:2]] == ["RIMs, en-de, seed 1", "RIMs, en-de, seed 2"]
    assert len(lines) == 8 and sum(line["showlegend"] for line in lines) == 4
    bars = [len(line["error_y"]["array"]) for figure in overview["lengths"] for line in figure["data"]]
    assert bars == [len(figure["data"][0]["x"]) for figure in overview["lengths"] for _ in range(4)]
    show(chromium, page)
    assert "mean of the seeds 1, 2" in by_id(chromium, "lengths").text
    assert "translations of seed 1" in by_id(chromium, "embedded").text


def test_a_page_without_text_of_the_corpus(chromium, copy):
    assert report.main(["--config", "toy.yaml", "--sentences", "0", "--examples", "0"]) == 0
    page = copy.root.absolute() / "report.html"
    text, material = page.read_text(encoding="utf-8"), report_data.Material(copy)
    translations = [lines for tests in material.hypotheses.values() for lines in tests.values()]
    for line in {*sum([*material.sources.values(), *material.references.values(), *translations], [])}:
        if len(line) > 20:  # shorter ones, of a model trained little, stand in words of the page
            assert all(form not in text for form in (line, html.escape(line), report.embedded(line)[1:-1])), line
    show(chromium, page)
    assert "--sentences 0" in by_id(chromium, "embedded").text
    assert not by_id(chromium, "sentence-viewer").is_displayed()
    assert chromium.get_log("browser") == []


def test_an_explorer_without_a_fitting_sentence_says_so(chromium, copy, monkeypatch):
    monkeypatch.setattr(report_units, "LONGEST", 0)
    assert report.main(["--config", "toy.yaml", "--sentences", "3"]) == 0
    show(chromium, copy.root.absolute() / "report.html")
    chromium.execute_script("document.getElementById('units').scrollIntoView()")
    message = WebDriverWait(chromium, 20).until(lambda b: by_id(b, "no-fitting").text)
    assert message.startswith("No sentence of this test set fits")
    assert chromium.get_log("browser") == []


def test_a_limited_page_says_so(chromium, copy):
    assert report.main(["--config", "toy.yaml", "--sentences", "5", "--examples", "0"]) == 0
    page = copy.root / "report.html"
    overview = embedded(page, "overview")
    assert [(test["total"], test["embedded"]) for test in overview["tests"]] == [(60, 5), (7, 5)]
    assert len(embedded(page, "sentences-0")) == 5
    assert overview["models"] == [] and "--examples 0" in overview["no_units"]
    show(chromium, page.absolute())
    assert by_id(chromium, "embedded").text.startswith("5 of the 60 sentences, evenly spaced, of this test set")
    assert chromium.get_log("browser") == []


def test_without_rims_the_explorer_says_so(chromium, copy):
    leave_out_rims(copy)
    assert report.main(["--config", "toy.yaml"]) == 0
    show(chromium, copy.root.absolute() / "report.html")
    chromium.execute_script("document.getElementById('units').scrollIntoView()")
    message = WebDriverWait(chromium, 20).until(lambda b: by_id(b, "no-units").text)
    assert message == "No model of this experiment has RIMs, so there are no units to look at."
    assert not by_id(chromium, "explorer").is_displayed()
    assert chromium.get_log("browser") == []
