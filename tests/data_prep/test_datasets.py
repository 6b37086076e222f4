"""The catalogue holds together, and the commands show it."""

import re

import pytest
import requests

from data_prep import __main__
from data_prep.datasets import DATASETS, human_bytes
from data_prep.datasets import find as find_dataset

ARCHIVES = {archive.name: archive for dataset in DATASETS.values() for archive in dataset.archives}


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr(__main__, "COMMANDS", ("list", "info", "download"))
    return lambda *argv: __main__.main(list(argv))


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_an_entry_is_complete(dataset):
    names = [archive.name for archive in dataset.archives]
    used = {location.partition("::")[0] for part in dataset.parts for location in part.locations}
    assert used == set(names) and len(names) == len(set(names))
    assert dataset.train and dataset.tests and bool(dataset.valid) != bool(dataset.valid_every)
    assert all(bool(part.tgt) == bool(dataset.pair) and part.segments for part in dataset.parts)
    assert dataset.licence and dataset.homepage.startswith("https://")
    assert re.match(r"@inproceedings\{\S+,\n", dataset.citation) and "url " in dataset.citation
    assert dataset.citation.count("{") == dataset.citation.count("}")


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=lambda archive: archive.name)
def test_an_archive_is_complete(archive):
    assert archive.urls and all(url.startswith("https://") for url in archive.urls)
    assert archive.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", archive.sha256)
    assert archive.md5 is None or re.fullmatch(r"[0-9a-f]{32}", archive.md5)
    assert archive.size is None or archive.about is None


def test_one_name_is_one_archive():
    for dataset in DATASETS.values():
        assert all(ARCHIVES[archive.name] == archive for archive in dataset.archives)


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_the_sides_of_a_part_differ_in_the_language_alone(dataset):
    for part in dataset.parts:
        if dataset.pair:
            src, tgt = dataset.pair.split("-")
            assert part.src.replace(f".{src}", f".{tgt}").replace("-src.", "-ref.") == part.tgt


def test_the_catalogue_has_the_usual_splits():
    iwslt = DATASETS["iwslt14.en-de"]
    assert iwslt.valid_every == 23 and sum(part.segments for part in iwslt.tests["test"]) == 6750
    assert [part.name.rpartition(".")[2] for part in iwslt.tests["test"]] == [
        *("dev2010", "dev2012"),
        *("tst2010", "tst2011", "tst2012"),
    ]
    assert round(DATASETS["wmt14.en-de"].segments, -5) == 4_500_000
    assert round(DATASETS["wmt14.en-fr"].segments, -5) == 40_800_000
    assert DATASETS["wikitext-2"].pair == "" and DATASETS["wikitext-2"].languages == "en"


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ValueError, match=r"'WMT14.ende'; did you mean wmt14.en-de"):
        find_dataset("WMT14.ende")
    with pytest.raises(ValueError, match="iwslt14.en-de or wikitext-103 or wikitext-2 or wmt14.en-de"):
        find_dataset("?")


@pytest.mark.parametrize(
    "size, text", [(999, "999 bytes"), (20_000, "20.0 kB"), (4_475_746, "4.5 MB"), (2_595_102_720, "2.6 GB")]
)
def test_sizes_for_people(size, text):
    assert human_bytes(size) == text


def test_list_shows_every_data_set(run, capsys):
    assert run("list") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "languages", "training", "segments", "to", "download", "licence"]
    assert [row.split()[0] for row in rows] == list(DATASETS)
    assert "4,520,620" in rows[0] and "> 1.7 GB" in rows[0]


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_info_shows_everything(dataset, run, capsys):
    assert run("info", dataset.name) == 0
    out = capsys.readouterr().out
    for archive in dataset.archives:
        assert all(url in out for url in archive.urls)
        assert (archive.sha256 or archive.md5 or "sha256 unknown") in out
        assert archive.size is None or f"{archive.size:,} bytes" in out
    assert all(location in out for part in dataset.parts for location in part.locations)
    assert dataset.citation in out and dataset.licence in out


def test_an_unknown_name_is_one_line(run, capsys):
    assert run("info", "wmt15.en-de") == 1
    assert capsys.readouterr().err.startswith(
        "data_prep info: error: no data set is called 'wmt15.en-de'; did you mean"
    )


@pytest.mark.network
@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=lambda archive: archive.name)
def test_the_first_address_has_the_archive(archive):
    headers = {"Accept-Encoding": "identity"}
    answer = requests.head(archive.urls[0], headers=headers, allow_redirects=True, timeout=(10, 20))
    assert answer.status_code == 200 and answer.url.startswith("https://")
    assert archive.size is None or int(answer.headers["Content-Length"]) == archive.size
