"""Local copies of the archives are found packed and unpacked."""

import pytest

from data_prep.datasets import DATASETS
from data_prep.local import resolve

EUROPARL = DATASETS["wmt14.en-de"].train[0].src  # training-parallel-europarl-v7.tgz::training/europarl-v7.de-en.en
GIGA = DATASETS["wmt14.en-fr"].train[-1].src  # training-giga-fren.tar::giga-fren.release2.fixed.en.gz


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize("folder", ["", "archives/"])
def test_an_archive_is_found(tmp_path, folder):
    touch(tmp_path / folder / "training-parallel-europarl-v7.tgz")
    assert resolve(tmp_path, EUROPARL) == f"{tmp_path}/{folder}{EUROPARL}"
    assert resolve(str(tmp_path), EUROPARL) == f"{tmp_path}/{folder}{EUROPARL}"


@pytest.mark.parametrize(
    "location, path",
    [
        (EUROPARL, "training/europarl-v7.de-en.en"),
        (EUROPARL, "training-parallel-europarl-v7/training/europarl-v7.de-en.en"),
        (EUROPARL, "europarl-v7.de-en.en"),
        (EUROPARL, "training/europarl-v7.de-en.en.gz"),
        (EUROPARL, "europarl-v7.de-en.en.gz"),
        (GIGA, "giga-fren.release2.fixed.en.gz"),
        (GIGA, "giga-fren.release2.fixed.en"),
        (GIGA, "training-giga-fren/giga-fren.release2.fixed.en"),
    ],
)
def test_an_unpacked_member_is_found(tmp_path, location, path):
    touch(tmp_path / path)
    assert resolve(tmp_path, location) == str(tmp_path / path)


def test_the_archive_goes_before_the_unpacked_member(tmp_path):
    touch(tmp_path / "training" / "europarl-v7.de-en.en")
    touch(tmp_path / "training-parallel-europarl-v7.tgz")
    assert "::" in resolve(tmp_path, EUROPARL)


def test_a_part_file_is_not_an_archive(tmp_path):
    touch(tmp_path / "training-parallel-europarl-v7.tgz.part")
    with pytest.raises(FileNotFoundError):
        resolve(tmp_path, EUROPARL)


def test_two_archives_of_one_name_are_not_guessed_between(tmp_path):
    for year in ("2014", "2015"):
        touch(tmp_path / year / "de-en.tgz")
    with pytest.raises(ValueError, match="2014/de-en.tgz and .*2015/de-en.tgz are both called de-en.tgz"):
        resolve(tmp_path, "de-en.tgz::de-en/train.tags.de-en.de")


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        resolve(tmp_path / "none", GIGA)
    message = str(raised.value)
    assert "training-giga-fren.tar" in message and "giga-fren.release2.fixed.en.gz" in message
    assert "https://www.statmt.org/wmt10/training-giga-fren.tar (2.6 GB)" in message
    assert f"python -m data_prep download wmt14.en-fr --to {tmp_path}/none" in message


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_every_location_of_the_catalogue_resolves(tmp_path, dataset):
    for archive in dataset.archives:
        touch(tmp_path / archive.name)
    for part in dataset.parts:
        assert [resolve(tmp_path, location) for location in part.locations] == [
            f"{tmp_path}/{location}" for location in part.locations
        ]
