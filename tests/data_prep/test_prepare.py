"""The whole preparation, from text files to binarised data, through the command line."""

import gzip
import json
import shutil
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from data_prep import indexed, parallel, prepare, signature, training_text
from data_prep.__main__ import main
from data_prep.experiment_file import load

THINGS = ["house", "tree", "river", "road", "garden"]
WORDS = {
    "de": dict(zip(THINGS, ["Haus", "Baum", "Fluss", "Weg", "Garten"], strict=True)),
    "fr": dict(zip(THINGS, ["maison", "arbre", "rivière", "route", "jardin"], strict=True)),
}


def sentences(lang, numbers):
    """Return aligned English and foreign lines."""
    english = [f"The {THINGS[number % 5]} number {number} is here." for number in numbers]
    foreign = [f"{WORDS[lang][THINGS[number % 5]]} numéro {number} über hier." for number in numbers]
    return english, foreign


def write(folder, name, lang, english, foreign):
    for suffix, lines in (("en", english), (lang, foreign)):
        (folder / f"{name}.{suffix}").write_bytes("".join(line + "\n" for line in lines).encode())
    return {"src": str(folder / f"{name}.en"), "tgt": str(folder / f"{name}.{lang}")}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Two language pairs; en-de has two corpora (one partly tokenised) and two tests, en-fr a test of its own."""
    folder = tmp_path_factory.mktemp("corpora")
    english, german = sentences("de", range(60))
    bad = [  # reason, English, German
        ("empty", "", "leer"),
        ("empty", "only white \u200b", " \u2028 "),
        ("too_long", "word " * 31, "Wort " * 31),
        ("ratio", "one", "eins zwei drei vier"),
        ("in_test_set", "The &quot;held out&quot; line.", "Etwas anderes."),
        ("in_test_set", "Something else.", "Die Zeile vom Vortrag."),
        ("in_test_set", "The French test.", "Auch das nicht."),
        ("duplicate", english[3], german[3]),
    ]
    one = write(folder, "one", "de", english + [row[1] for row in bad], german + [row[2] for row in bad])
    tokenised = (
        [f"Yesterday ' s tree no. {number} , here" for number in range(20)],
        [f"Baum {n} , da" for n in range(20)],
    )
    two = write(folder, "two", "de", tokenised[0] + english[:2], tokenised[1] + german[:2])
    (folder / "two.labels").write_text("tok\n" * 20 + "raw\n" * 2)
    odd = ["", "A\u2028B \rC", "nul\0byte &amp; more"]
    news = write(folder, "news", "de", ['The "held out" line.', *odd], ["Die Nachricht.", "", "x\u2028y", "ü &amp; z"])
    talk = write(folder, "talk", "de", ["A talk."], ["Die Zeile vom Vortrag."])
    french = write(folder, "french", "fr", *sentences("fr", range(40)))
    french_test = write(folder, "french_test", "fr", ["The French test."], ["Le test français."])
    valid = {lang: write(folder, f"valid_{lang}", lang, *sentences(lang, range(90, 97))) for lang in ("de", "fr")}
    return {
        "en-de": {
            "train": [one, {**two, "labels": str(folder / "two.labels"), "detokenize": ["tok"], "name": "two"}],
            "valid": valid["de"],
            "tests": {"in_domain": news, "transfer": talk},
        },
        "en-fr": {"train": [french], "valid": valid["fr"], "tests": {"in_domain": french_test}},
    }


def configuration(folder, pairs, **changes):
    data = {
        "out": str(folder / "out"),
        "pairs": pairs,
        "clean": ["empty", {"length": {"max_words": 30}}, {"ratio": {"max": 3}}, "test_overlap", "duplicate"],
        "subword": {"vocab_size": 120},
        **changes,
    }
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({"name": "experiment", "data": data}))
    return path


@pytest.fixture(scope="module")
def prepared(corpora, tmp_path_factory):
    """The output of one real run over both pairs."""
    folder = tmp_path_factory.mktemp("prepared")
    assert main(["prepare", "--config", str(configuration(folder, corpora)), "--quiet"]) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["experiment.yaml", "out"]
    return folder / "out"


def segments(prefix):
    return len(indexed.read(prefix))


def test_layout_is_complete(prepared):
    sides = ("train.en-de.en", "train.en-de.de", "valid.en-de.en", "valid.en-de.de")
    sides += ("train.en-fr.en", "train.en-fr.fr", "valid.en-fr.en", "valid.en-fr.fr")
    files = {f"{side}.{kind}" for side in sides for kind in ("bin", "idx")}
    dictionaries = {f"dict.{lang}.txt" for lang in ("en", "de", "fr")}
    files |= dictionaries | {"spm.model", "spm.vocab", "report.json", "signature.json", "throughput.json", "tests"}
    assert {path.name for path in prepared.iterdir()} == files
    english_german = {f"test.en-de.{lang}.{kind}" for lang in ("en", "de") for kind in ("bin", "idx")}
    transfer = english_german | dictionaries | {"en-de.src", "en-de.ref"}
    assert {path.name for path in (prepared / "tests" / "transfer").iterdir()} == transfer
    english_french = {name.replace("de", "fr") for name in english_german | {"en-de.src", "en-de.ref"}}
    assert {path.name for path in (prepared / "tests" / "in_domain").iterdir()} == transfer | english_french


def test_all_dictionaries_are_the_vocabulary(prepared):
    dictionaries = {path.read_bytes() for path in prepared.rglob("dict.*.txt")}
    assert len(dictionaries) == 1
    pieces = [line.split(" ")[0] for line in dictionaries.pop().decode().splitlines()]
    vocabulary = (prepared / "spm.vocab").read_text(encoding="utf-8").splitlines()
    assert pieces == [line.split("\t")[0] for line in vocabulary][3:]


def test_report_counts_every_pair(prepared):
    report = json.loads((prepared / "report.json").read_text(encoding="utf-8"))
    one, two = report["pairs"]["en-de"]["train"]
    reasons = {"empty": 2, "length": 1, "ratio": 1, "test_overlap": 3, "duplicate": 1}
    assert (one["read"], one["kept"], one["dropped"], one["detokenized"]) == (68, 60, reasons, 0)
    assert (two["name"], two["read"], two["kept"], two["detokenized"]) == ("two", 22, 20, 20)
    assert two["dropped"] == {**dict.fromkeys(reasons, 0), "duplicate": 2}
    (french,) = report["pairs"]["en-fr"]["train"]
    assert (french["read"], french["kept"]) == (40, 40)
    encoded = report["pairs"]["en-de"]["encoded"]
    assert {split: counts["en"]["lines"] for split, counts in encoded.items()} == {
        "train": 80, "valid": 7, "test-in_domain": 4, "test-transfer": 1
    }  # fmt: skip
    assert encoded["train"]["de"]["unknown"] == 0


def test_binarised_data_has_every_line(prepared):
    assert segments(prepared / "train.en-de.de") == 80
    assert segments(prepared / "train.en-fr.en") == 40
    assert segments(prepared / "valid.en-fr.fr") == 7
    assert segments(prepared / "tests" / "in_domain" / "test.en-de.en") == 4
    assert segments(prepared / "tests" / "in_domain" / "test.en-fr.fr") == 1


def read_binarised(path, folder):
    """Return the text of a binarised file: 16-bit indices, fairseq's four symbols before the dictionary's."""
    pieces = [line.split(" ")[0] for line in (folder / "dict.en.txt").read_text(encoding="utf-8").splitlines()]
    indices = np.fromfile(path, dtype=np.uint16)
    text = "".join("\n" if index == 2 else pieces[index - 4] for index in indices)
    return [line.replace("\u2581", " ").strip() for line in text.split("\n")[:-1]]


def test_binarised_data_is_the_cleaned_text(prepared):
    english, german = sentences("de", range(60))
    english += [f"Yesterday's tree no. {number}, here" for number in range(20)]
    german += [f"Baum {number}, da" for number in range(20)]
    assert read_binarised(prepared / "train.en-de.en.bin", prepared) == english
    assert read_binarised(prepared / "train.en-de.de.bin", prepared) == german
    assert read_binarised(prepared / "valid.en-fr.fr.bin", prepared) == sentences("fr", range(90, 97))[1]


def test_plain_tests_keep_lines_and_references(prepared):
    folder = prepared / "tests" / "in_domain"
    assert (folder / "en-de.src").read_bytes().decode() == 'The "held out" line.\n\nA B C\nnul byte & more\n'
    assert (folder / "en-de.ref").read_bytes().decode() == "Die Nachricht.\n\nx y\nü &amp; z\n"


def test_signature_says_what_went_in(prepared, corpora):
    signed = json.loads((prepared / "signature.json").read_text(encoding="utf-8"))
    assert signed["command"].startswith("python -m data_prep prepare --config ")
    assert signed["seed"] == 1
    source = corpora["en-fr"]["train"][0]["src"]
    size = Path(source).stat().st_size
    assert signed["inputs"][source] == {"sha256": signature.sha256(Path(source)), "bytes": size}
    assert len(signed["inputs"]) == 17
    assert [list(check) for check in signed["config"]["clean"]][-2:] == [["test_overlap"], ["duplicate"]]
    assert signed["config"]["clean"][1]["length"]["max_words"] == 30
    assert signed["dictionaries"]["dict.fr.txt"] == signature.sha256(prepared / "dict.fr.txt")
    assert {"sentencepiece", "sacremoses", "fairseq-fixed"} <= signed["versions"].keys()
    files = {path.relative_to(prepared).as_posix(): path for path in prepared.rglob("*") if path.is_file()}
    assert signed["files"].keys() == files.keys() - {"signature.json", "throughput.json"}
    for name, facts in signed["files"].items():
        assert facts == {"sha256": signature.sha256(files[name]), "bytes": files[name].stat().st_size}


UNLIKE = {"signature.json", "throughput.json"}  # of two runs with different command lines


def test_second_run_gives_the_same_bytes(prepared, corpora, tmp_path):
    assert main(["prepare", "--config", str(configuration(tmp_path, corpora)), "--quiet", "--workers", "2"]) == 0
    files = [path.relative_to(prepared) for path in prepared.rglob("*") if path.is_file() and path.name not in UNLIKE]
    assert len(files) > 30
    for file in files:
        assert (tmp_path / "out" / file).read_bytes() == (prepared / file).read_bytes(), file


def test_up_to_date_overwrite_and_change(corpora, tmp_path, capsys, caplog):
    pairs = {"en-fr": corpora["en-fr"]}
    config = str(configuration(tmp_path, pairs))
    assert main(["prepare", "--config", config]) == 0
    made = (tmp_path / "out" / "report.json").stat().st_ino
    caplog.clear()
    assert main(["prepare", "--config", config, "--workers", "2"]) == 0
    assert "is up to date" in caplog.text
    assert (tmp_path / "out" / "report.json").stat().st_ino == made
    configuration(tmp_path, pairs, seed=2)
    assert main(["prepare", "--config", config]) == 1
    assert "made from something else (seed was 1, is 2); give --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out" / "report.json").stat().st_ino == made
    assert main(["prepare", "--config", config, "--overwrite"]) == 0
    assert json.loads((tmp_path / "out" / "signature.json").read_text())["seed"] == 2
    (tmp_path / "out" / "dict.fr.txt").write_text("other 1\n")
    assert main(["prepare", "--config", config]) == 1
    assert "dict.fr.txt: changed since it was made; give --overwrite" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.yaml", "out"]


def test_a_moved_corpus_is_still_up_to_date(corpora, tmp_path, caplog):
    source = Path(corpora["en-fr"]["train"][0]["src"]).parent
    pairs = json.loads(json.dumps({"en-fr": corpora["en-fr"]}).replace(str(source), "{corpora}"))
    config = str(configuration(tmp_path, pairs))
    shutil.copytree(source, tmp_path / "moved")
    assert main(["prepare", "--config", config, "--corpora", str(source)]) == 0
    assert main(["prepare", "--config", config, "--corpora", str(tmp_path / "moved")]) == 0
    assert "is up to date" in caplog.text
    with open(tmp_path / "moved" / "french.en", "a") as file:
        file.write("\n")
    with open(tmp_path / "moved" / "french.fr", "a") as file:
        file.write("\n")
    assert main(["prepare", "--config", config, "--corpora", str(tmp_path / "moved")]) == 1


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_foreign_folder_is_never_replaced(corpora, tmp_path, capsys, overwrite):
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    assert main(["prepare", "--config", config, *overwrite]) == 1
    assert "out: not written by prepare (no readable signature.json); give another --out" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").touch()
    assert main(["prepare", "--config", config, *overwrite]) == 1
    assert "out: is a file; expected a folder or nothing" in capsys.readouterr().err


def test_interruption_keeps_the_old_and_is_gone_on_with(corpora, tmp_path, monkeypatch):
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}))
    assert main(["prepare", "--config", config]) == 0
    before = (tmp_path / "out" / "signature.json").read_bytes()

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(parallel.Build, "_encode", interrupt)
        assert main(["prepare", "--config", config, "--overwrite"]) == 130
    assert (tmp_path / "out" / "signature.json").read_bytes() == before
    assert (tmp_path / "out.tmp" / "work" / "spm.model").exists()
    monkeypatch.setattr(parallel.subword, "train_model", interrupt)  # is not called again
    assert main(["prepare", "--config", config, "--overwrite"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.yaml", "out"]


@pytest.fixture
def broken(corpora, tmp_path):
    """A copy of the French pair whose files a test may spoil."""
    source = Path(corpora["en-fr"]["train"][0]["src"]).parent
    shutil.copytree(source, tmp_path / "text")
    return json.loads(json.dumps(corpora["en-fr"]).replace(str(source), str(tmp_path / "text")))


def run_broken(tmp_path, pair, capsys):
    """Run a preparation that must fail cleanly and return what it says."""
    assert main(["prepare", "--config", str(configuration(tmp_path, {"en-fr": pair}))]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.yaml", "text"]
    return capsys.readouterr().err


def test_misaligned_files(tmp_path, broken, capsys):
    with open(tmp_path / "text" / "valid_fr.fr", "a") as file:
        file.write("une ligne de trop\n")
    message = run_broken(tmp_path, broken, capsys)
    assert "valid_fr.en has 7 lines" in message and "valid_fr.fr has 8 lines" in message


def test_misaligned_labels(tmp_path, broken, capsys):
    (tmp_path / "text" / "labels").write_text("raw\n" * 39)
    broken["train"][0] |= {"labels": str(tmp_path / "text" / "labels"), "detokenize": ["tok"]}
    assert "labels has 39 lines" in run_broken(tmp_path, broken, capsys)
    (tmp_path / "text" / "labels").write_text("raw\n" * 40)
    assert "no line has the label 'tok' to detokenize; labels found: raw" in run_broken(tmp_path, broken, capsys)


def test_wrong_encoding(tmp_path, broken, capsys):
    path = tmp_path / "text" / "french_test.fr"
    path.write_bytes("Le test français.\n".encode("latin-1"))
    assert "french_test.fr:1: not UTF-8" in run_broken(tmp_path, broken, capsys)


def test_missing_and_empty_file(tmp_path, broken, capsys):
    path = tmp_path / "text" / "french.en"
    path.write_bytes(b"")
    assert "french.en: the file is empty" in run_broken(tmp_path, broken, capsys)
    path.unlink()
    assert "french.en: no such file" in run_broken(tmp_path, broken, capsys)


def test_nothing_left_of_a_corpus(tmp_path, broken, capsys):
    (tmp_path / "text" / "french.fr").write_text("\n" * 40)
    message = run_broken(tmp_path, broken, capsys)
    assert "text: no training pair is left of 40; dropped: {'empty': 40}" in message


def test_every_kind_of_source(tmp_path, monkeypatch):
    """Text in one file, in archives, of a saved data set, in the other direction; half of it held out, in shards."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    english, german = sentences("de", range(100))
    rows = [f"{tgt}\t{src}\n" for src, tgt in zip(english[:20], german[:20], strict=True)]
    with gzip.open(tmp_path / "news.de-en.tsv.gz", "wt", encoding="utf-8") as file:
        file.writelines(rows)
    write(tmp_path, "plain", "de", english[20:40], german[20:40])
    with tarfile.open(tmp_path / "both.tgz", "w:gz") as archive:
        for lang in ("en", "de"):
            archive.add(tmp_path / f"plain.{lang}", f"training/plain.{lang}")
    table = {"translation": [{"de": tgt, "en": src} for src, tgt in zip(english[40:60], german[40:60], strict=True)]}
    datasets.Dataset.from_dict(table).save_to_disk(tmp_path / "saved")
    member = f"{tmp_path}/both.tgz::training/plain."
    train = [
        {"file": f"{tmp_path}/news.de-en.tsv.gz"},
        {"src": f"{member}en", "tgt": f"{member}de", "name": "packed"},
        {"hub": str(tmp_path / "saved"), "split": "train"},
    ]
    held_out = write(tmp_path, "test", "de", english[90:], german[90:])
    pair = {"train": train, "valid": {"every": 3}, "tests": {"x": held_out}}
    config = configuration(tmp_path, {"en-de": pair}, shards=2)
    assert main(["prepare", "--config", str(config), "--quiet"]) == 0
    out = tmp_path / "out"
    text = [read_binarised(out / f"shard{shard}" / "train.en-de.en.bin", out) for shard in (0, 1)]
    assert sorted(text[0] + text[1]) == sorted(line for number, line in enumerate(english[:60]) if number % 3 != 2)
    assert [len(part) for part in text] == [20, 20]
    for shard in ("shard0", "shard1"):
        assert read_binarised(out / shard / "valid.en-de.de.bin", out) == german[2:60:3]
    assert main(["verify", str(out), "--quiet"]) == 0
    assert main(["inspect", str(out), "--out", str(tmp_path / "seen")]) == 0
    with gzip.open(tmp_path / "news.de-en.tsv.gz", "wt", encoding="utf-8") as file:
        file.writelines(rows[::-1])
    assert main(["prepare", "--config", str(config), "--quiet"]) == 1  # another archive, another text


def test_a_full_disk_is_told_of_and_gone_on_from(corpora, tmp_path, monkeypatch, capsys):
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}))

    def full(*args, **options):
        raise OSError(28, "No space left on device", "out.tmp/result/train.bin")

    with monkeypatch.context() as patched:
        patched.setattr(indexed, "write", full)
        assert main(["prepare", "--config", config]) == 1
    assert "out.tmp: the disk is full; make room and run the same command again, it goes on" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["prepare", "--config", config]) == 0


def test_an_unwritable_place_is_told_of(corpora, tmp_path, capsys):
    (tmp_path / "file").touch()
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}, out=str(tmp_path / "file" / "out")))
    assert main(["prepare", "--config", config]) == 1
    assert "file" in capsys.readouterr().err


def test_another_run_that_came_in_between_is_not_overwritten(corpora, tmp_path, monkeypatch, capsys):
    """What ``out`` holds is looked at again when this run has the lock."""
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}))
    claimed = prepare.claimed

    def late(out):
        monkeypatch.setattr(prepare, "claimed", claimed)
        other = configuration(tmp_path, {"en-fr": corpora["en-fr"]}, seed=7)
        assert main(["prepare", "--config", str(other)]) == 0
        return claimed(out)

    monkeypatch.setattr(prepare, "claimed", late)
    assert main(["prepare", "--config", config]) == 1
    assert "made from something else (seed was 7, is 1); give --overwrite" in capsys.readouterr().err
    assert json.loads((tmp_path / "out" / "signature.json").read_text())["seed"] == 7


def test_leftovers_beside_a_finished_folder_go(corpora, tmp_path):
    config = str(configuration(tmp_path, {"en-fr": corpora["en-fr"]}))
    assert main(["prepare", "--config", config]) == 0
    (tmp_path / "out.tmp" / "work").mkdir(parents=True)
    assert main(["prepare", "--config", config]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiment.yaml", "out"]


def test_an_input_that_changes_meanwhile_is_refused(tmp_path, broken, monkeypatch, capsys):
    clean = parallel.Build._clean

    def changing(self, pair, held_out):
        (tmp_path / "text" / "french_test.fr").write_text("Un autre test.\n")
        return clean(self, pair, held_out)

    monkeypatch.setattr(parallel.Build, "_clean", changing)
    assert "french_test.fr: changed while it was read; run the same command again" in run_broken(
        tmp_path, broken, capsys
    )


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"valid": {"every": 1000}}, {}, "valid.every: 1000, but there are only 40 training pairs"),
        ({}, {"shards": 41}, "shards: 41, but there are only 40 training pairs"),
        ({"valid": {"dataset": "wmt14.en-de"}}, {}, "pairs.en-fr: the data set wmt14.en-de is of en-de"),
    ],
)
def test_what_leaves_no_pairs_is_refused_before_the_long_work(corpora, tmp_path, capsys, changes, options, message):
    pair = {**corpora["en-fr"], **changes}
    assert main(["prepare", "--config", str(configuration(tmp_path, {"en-fr": pair}, **options))]) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["experiment.yaml"]


def test_held_out_text_of_another_data_set_is_refused(corpora, tmp_path, capsys):
    pair = {**corpora["en-de"], "valid": {"dataset": "iwslt14.en-de"}}
    assert main(["prepare", "--config", str(configuration(tmp_path, {"en-de": pair}))]) == 1
    assert (
        "iwslt14.en-de has no validation text but one in 23 of its training pairs; train on" in capsys.readouterr().err
    )


def test_long_lines_make_small_chunks(monkeypatch):
    monkeypatch.setattr(training_text, "CHUNK_CHARS", 100)
    lengths = [10, 20, 80, 5, 200, 1]
    portions = list(training_text._portions(("x" * length, "", "") for length in lengths))
    assert [[len(src) for src, _, _ in portion] for portion in portions] == [[10, 20, 80], [5, 200], [1]]


def test_grammar_text_is_written_first(tmp_path, monkeypatch):
    calls = []

    def write_corpus(out, **options):
        calls.append((out, options))
        out.mkdir(parents=True)
        for split in ("train", "valid", "test"):
            write(out, split, "de", *sentences("de", range(90, 95) if split == "test" else range(30)))

    monkeypatch.setitem(sys.modules, "data_prep.grammar", SimpleNamespace(write_corpus=write_corpus))
    text = tmp_path / "text"
    train, valid, test = (
        {"src": f"{text}/{split}.en", "tgt": f"{text}/{split}.de"} for split in ("train", "valid", "test")
    )
    grammar = {"domain": "talk", "pairs": 30, "valid_pairs": 30, "test_pairs": 5, "seed": 4}
    pairs = {"en-de": {"train": [train], "valid": valid, "tests": {"transfer": test}}}
    path = configuration(tmp_path, pairs, grammar=[{**grammar, "out": str(text)}])
    assert prepare.prepare(load(path))
    assert calls == [(text, grammar)]
    assert segments(tmp_path / "out" / "tests" / "transfer" / "test.en-de.de") == 5


def test_one_pair_without_configuration(corpora, tmp_path):
    pair, out = corpora["en-fr"], tmp_path / "plain"
    files = [
        *("--train-src", pair["train"][0]["src"], "--train-tgt", pair["train"][0]["tgt"]),
        *("--valid-src", pair["valid"]["src"], "--valid-tgt", pair["valid"]["tgt"]),
    ]
    test = pair["tests"]["in_domain"]
    tests = ["--test", "news", test["src"], test["tgt"], "--test", "same", test["src"], test["tgt"]]
    options = ["--vocab-size", "90", "--seed", "3", "--out", str(out), "--workers", "2"]
    assert main(["prepare", "--pair", "en-fr", *files, *tests, *options]) == 0
    assert segments(out / "tests" / "same" / "test.en-fr.en") == 1
    signed = json.loads((out / "signature.json").read_text(encoding="utf-8"))
    assert (signed["seed"], signed["config"]["subword"]["vocab_size"]) == (3, 90)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "what to prepare? Give --config, or --dataset, or --pair and its files"),
        (["--seed", "3"], "without --config these options are missing: --pair, --train-src, --train-tgt, --valid-src"),
        (
            ["--dataset", "wikitext-2", "--out", "x", "--shards", "2"],
            "--shards has no meaning for wikitext-2: its words",
        ),
        (["--dataset", "wikitext-2", "wmt14.en-de", "--out", "x"], "--dataset: expected one for text of one language"),
        (["--dataset", "wmt14.en-de", "--pair", "en-de"], "--dataset and --pair contradict each other"),
        (["--config", "x.yaml", "--seed", "3"], "--config and --seed contradict each other"),
        (["--config", "nowhere.yaml"], "nowhere.yaml: no such configuration file"),
    ],
)
def test_contradicting_options(options, message, capsys):
    assert main(["prepare", *options]) == 1
    assert f"data_prep prepare: error: {message}" in capsys.readouterr().err


def test_bad_pair_and_repeated_test(capsys):
    files = [
        word for name in ("train-src", "train-tgt", "valid-src", "valid-tgt", "out") for word in (f"--{name}", "x")
    ]
    assert main(["prepare", "--pair", "english", *files]) == 1
    assert "'english' is not a language pair; expected SRC-TGT" in capsys.readouterr().err
    assert main(["prepare", "--pair", "en-de", *files, *["--test", "a", "x", "y"] * 2]) == 1
    assert "--test: a name is given twice" in capsys.readouterr().err


def test_unknown_key_names_the_file(tmp_path, corpora, capsys):
    assert main(["prepare", "--config", str(configuration(tmp_path, corpora, vocab=3))]) == 1
    message = capsys.readouterr().err
    assert "experiment.yaml: data: unknown key 'vocab'; known keys: out, pairs, downloads, seed" in message


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "--help"])
    assert stop.value.code == 0
    assert "python -m data_prep prepare --config configs/demo.yaml" in capsys.readouterr().out
