"""The catalogue: where known data sets lie on the net, which files they have, and what belongs to which split.

Sizes and checksums are only given where they were found in two places or are enforced by a widely used program, which
then is named beside them; what the organisers never published stays ``None`` and is recorded at the first download.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file as the organisers ship it.

    Args:
        name: of the file on disk.
        urls: where it can be had, tried in this order.
        size: bytes, exactly; ``None`` where unknown.
        about: bytes, roughly, for files whose exact size is unknown.
        sha256: of the file, where known.
        md5: of the file, where known and no SHA-256 is.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    about: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def size_text(self) -> str:
        """The size for people, ``size unknown`` where it is not known."""
        if self.size is None and self.about is None:
            return "size unknown"
        return human_bytes(self.size) if self.size is not None else f"about {human_bytes(self.about or 0)}"


@dataclass(frozen=True)
class Part:
    """A piece of a split: locations ``ARCHIVE::MEMBER``, both sides or, in monolingual text, ``src`` alone.

    Args:
        name: of the corpus or test set.
        src: the text of the first language.
        tgt: the text of the second language, segment by segment the translation; empty in monolingual text.
        segments: pairs, or lines of monolingual text, approximately.
    """

    name: str
    src: str
    tgt: str = ""
    segments: int = 0

    @property
    def locations(self) -> tuple[str, ...]:
        """The one or two locations."""
        return (self.src, self.tgt) if self.tgt else (self.src,)


@dataclass(frozen=True)
class Dataset:
    """A data set.

    Args:
        name: what it is asked for by.
        languages: ``en-de`` for a pair, source first, or ``en`` for monolingual text.
        description: what it is.
        archives: all files to download.
        train: the training corpora.
        tests: the test sets by name; the parts of one are concatenated in their order.
        valid: the validation text; empty where it is held out of the training text.
        valid_every: every so manieth training pair is validation text; 0 holds none out.
        hub: name and configuration on the Hugging Face hub, where it is there.
        licence: what the organisers allow.
        citation: BibTeX.
        homepage: of the data set.
    """

    name: str
    languages: str
    description: str
    archives: tuple[Archive, ...]
    train: tuple[Part, ...]
    tests: Mapping[str, tuple[Part, ...]]
    licence: str
    citation: str
    homepage: str
    valid: tuple[Part, ...] = ()
    valid_every: int = 0
    hub: tuple[str, str] | None = None

    @property
    def pair(self) -> str:
        """The language pair, empty for monolingual text."""
        return self.languages if "-" in self.languages else ""

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of all splits."""
        return (*self.train, *self.valid, *(part for parts in self.tests.values() for part in parts))

    @property
    def segments(self) -> int:
        """Training pairs or lines, approximately."""
        return sum(part.segments for part in self.train)

    @property
    def bytes_text(self) -> str:
        """What there is to download, for people; a ``>`` says that the size of some file is not known."""
        sizes = [archive.about if archive.size is None else archive.size for archive in self.archives]
        return ("> " if None in sizes else "") + human_bytes(sum(size or 0 for size in sizes))


def human_bytes(size: int) -> str:
    """Write a number of bytes with a unit, in powers of 1000."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size} bytes"


def find(name: str) -> Dataset:
    """Return a data set of the catalogue.

    Raises:
        ValueError: if there is none of that name; the message says which names are near.
    """
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(name.lower(), DATASETS, n=3, cutoff=0.5) or sorted(DATASETS)
    raise ValueError(
        f"no data set is called {name!r}; did you mean {' or '.join(near)}? 'python -m data_prep list' names them all"
    )


_STATMT = "https://www.statmt.org"
_GLUON = "https://gluonnlp-numpy-data.s3-us-west-2.amazonaws.com/datasets/third_party_mirror"

# Size and SHA-256 of the next three: the download_checksums of TensorFlow Datasets (url_checksums/wmt14_translate.txt)
# and of Hugging Face datasets (wmt14/dataset_infos.json) agree. The copies of GluonNLP are checked by them too.
_EUROPARL = Archive(
    "training-parallel-europarl-v7.tgz",
    (f"{_STATMT}/wmt13/training-parallel-europarl-v7.tgz",),
    size=657_632_379,
    sha256="0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7",
)
_COMMON_CRAWL = Archive(
    "training-parallel-commoncrawl.tgz",
    (
        f"{_STATMT}/wmt13/training-parallel-commoncrawl.tgz",
        f"{_GLUON}/training-parallel-commoncrawl-1c0ad85f0ebaf1d543acb009607205f5dae6627d.tgz",
    ),
    size=918_311_367,
    sha256="c7a74e2ea01ac6c920123108627e35278d4ccb5701e15428ffa34de86fa3a9e5",
)
_NEWS_COMMENTARY = Archive(
    "training-parallel-nc-v9.tgz",
    (
        f"{_STATMT}/wmt14/training-parallel-nc-v9.tgz",
        f"{_GLUON}/training-parallel-nc-v9-c7ae7f50cd45c2f3014d78ddba25a4a8a851e27a.tgz",
    ),
    size=80_418_416,
    sha256="cb8953f292298e6877ae433c98912b927cb0766b303f4540512ddd286c748485",
)
# MD5 of the next three: the autopilot of Sockeye refuses any other file; it agrees with sacreBLEU about the test file
# that both list. The size of UN is that of the repacked copy on the hub (wmt/wmt13).
_UN = Archive(
    "training-parallel-un.tgz",
    (f"{_STATMT}/wmt13/training-parallel-un.tgz",),
    about=2_366_000_000,
    md5="bb25a213ba9140023e4cc82c778bef53",
)
_GIGA = Archive(
    "training-giga-fren.tar",
    (f"{_STATMT}/wmt10/training-giga-fren.tar",),
    size=2_595_102_720,  # also the size that a published log of a download shows; a multiple of tar's 10240
    md5="0b12e20027d5b5f0dfcca290c72c8953",
)
_WMT14_DEV = Archive("dev.tgz", (f"{_STATMT}/wmt14/dev.tgz",), md5="88ba3fc60b2278d59277122e1c7dd6e7")
# MD5: sacreBLEU ("wmt14/full") refuses any other file.
_WMT14_TEST = Archive("test-full.tgz", (f"{_STATMT}/wmt14/test-full.tgz",), md5="a8cd784e006feb32ac6f3d9ec7eb389a")
# The organisers' server (wit3.fbk.eu/archive/2014-01/texts/de/en/de-en.tgz) has been gone since 2020; fairseq keeps a
# copy. The size is what the organisers' server gave (log in fairseq issue 1493).
_IWSLT14 = Archive("de-en.tgz", ("https://dl.fbaipublicfiles.com/fairseq/data/iwslt14/de-en.tgz",), size=19_982_877)


def _wikitext(number: int, size: int, sha256: str) -> Archive:
    """Size and SHA-256 as in Hugging Face datasets (wikitext/dataset_infos.json); other loaders agree on the latter."""
    name = f"wikitext-{number}-v1.zip"
    urls = (f"https://wikitext.smerity.com/{name}", f"https://s3.amazonaws.com/research.metamind.io/wikitext/{name}")
    return Archive(name, urls, size=size, sha256=sha256)


def _corpus(archive: Archive, stem: str, src: str, tgt: str, segments: int, suffix: str = "") -> Part:
    """A corpus of two plain files that differ in the language at the end of their names."""
    src_file, tgt_file = (f"{archive.name}::{stem}.{language}{suffix}" for language in (src, tgt))
    return Part(stem.rpartition("/")[2], src_file, tgt_file, segments)


def _newstest2013(tgt: str) -> Part:
    return Part(
        "newstest2013", "dev.tgz::dev/newstest2013-src.en.sgm", f"dev.tgz::dev/newstest2013-ref.{tgt}.sgm", 3000
    )


def _newstest2014(files: str, tgt: str) -> Part:
    stem = f"test-full.tgz::test-full/newstest2014-{files}"
    return Part("newstest2014", f"{stem}-src.en.sgm", f"{stem}-ref.{tgt}.sgm", 3003)


def _wmt14(tgt: str, description: str, archives: tuple[Archive, ...], train: tuple[Part, ...]) -> Dataset:
    return Dataset(
        name=f"wmt14.en-{tgt}",
        languages=f"en-{tgt}",
        description=description,
        archives=(*archives, _WMT14_DEV, _WMT14_TEST),
        train=train,
        valid=(_newstest2013(tgt),),
        tests={"newstest2014": (_newstest2014("deen" if tgt == "de" else "fren", tgt),)},
        hub=("wmt/wmt14", f"{tgt}-en"),
        licence="research use (WMT); Europarl: no known restrictions; Common Crawl: its terms of use",
        citation="""\
@inproceedings{bojar-etal-2014-findings,
  author    = {Bojar, Ond{\\v{r}}ej and Buck, Christian and Federmann, Christian and others},
  title     = {Findings of the 2014 Workshop on Statistical Machine Translation},
  booktitle = {Proceedings of the Ninth Workshop on Statistical Machine Translation},
  year      = {2014},
  pages     = {12--58},
  url       = {https://aclanthology.org/W14-3302}
}""",
        homepage=f"{_STATMT}/wmt14/translation-task.html",
    )


# Line counts as Google's Lingvo (en-fr) and tfjs-examples (en-de) give them.
_WMT14_EN_DE = _wmt14(
    "de",
    "Europarl, web pages and news commentary; the English-German task of WMT 2014",
    (_EUROPARL, _COMMON_CRAWL, _NEWS_COMMENTARY),
    (
        _corpus(_EUROPARL, "training/europarl-v7.de-en", "en", "de", 1_920_209),
        _corpus(_COMMON_CRAWL, "commoncrawl.de-en", "en", "de", 2_399_123),
        _corpus(_NEWS_COMMENTARY, "training/news-commentary-v9.de-en", "en", "de", 201_288),
    ),
)
_WMT14_EN_FR = _wmt14(
    "fr",
    "Europarl, web pages, UN documents, news commentary and the 10^9 corpus; the English-French task of WMT 2014",
    (_EUROPARL, _COMMON_CRAWL, _UN, _NEWS_COMMENTARY, _GIGA),
    (
        _corpus(_EUROPARL, "training/europarl-v7.fr-en", "en", "fr", 2_007_723),
        _corpus(_COMMON_CRAWL, "commoncrawl.fr-en", "en", "fr", 3_244_152),
        _corpus(_UN, "un/undoc.2000.fr-en", "en", "fr", 12_886_831),
        _corpus(_NEWS_COMMENTARY, "training/news-commentary-v9.fr-en", "en", "fr", 183_251),
        _corpus(_GIGA, "giga-fren.release2.fixed", "en", "fr", 22_520_376, suffix=".gz"),
    ),
)


def _ted(name: str, segments: int) -> Part:
    stem = f"de-en.tgz::de-en/{name}.de-en"
    return Part(name, f"{stem}.en.xml", f"{stem}.de.xml", segments)


_IWSLT14_EN_DE = Dataset(
    name="iwslt14.en-de",
    languages="en-de",
    description="TED talks; the usual split: every 23rd training pair is for validation, five old sets are the test",
    archives=(_IWSLT14,),
    train=(_corpus(_IWSLT14, "de-en/train.tags.de-en", "en", "de", 172_000),),
    valid_every=23,
    tests={
        "test": (
            _ted("IWSLT14.TED.dev2010", 887),
            _ted("IWSLT14.TEDX.dev2012", 1165),
            _ted("IWSLT14.TED.tst2010", 1565),
            _ted("IWSLT14.TED.tst2011", 1433),
            _ted("IWSLT14.TED.tst2012", 1700),
        )
    },
    licence="CC BY-NC-ND 4.0 (TED)",
    citation="""\
@inproceedings{cettolo-etal-2014-report,
  author    = {Cettolo, Mauro and Niehues, Jan and St{\\"u}ker, Sebastian and Bentivogli, Luisa and Federico, Marcello},
  title     = {Report on the 11th {IWSLT} evaluation campaign},
  booktitle = {Proceedings of the 11th International Workshop on Spoken Language Translation: Evaluation Campaign},
  year      = {2014},
  pages     = {2--17},
  url       = {https://aclanthology.org/2014.iwslt-evaluation.1}
}""",
    homepage="https://wit3.fbk.eu/2014-01",
)


def _wikitext_dataset(number: int, archive: Archive, lines: int, description: str) -> Dataset:
    def part(split: str, segments: int) -> Part:
        return Part(f"wiki.{split}", f"{archive.name}::wikitext-{number}/wiki.{split}.tokens", "", segments)

    return Dataset(
        name=f"wikitext-{number}",
        languages="en",
        description=description,
        archives=(archive,),
        train=(part("train", lines),),
        valid=(part("valid", 3_760),),
        tests={"test": (part("test", 4_358),)},
        hub=("Salesforce/wikitext", f"wikitext-{number}-v1"),
        licence="CC BY-SA 4.0",
        citation="""\
@inproceedings{merity-etal-2017-pointer,
  author    = {Merity, Stephen and Xiong, Caiming and Bradbury, James and Socher, Richard},
  title     = {Pointer Sentinel Mixture Models},
  booktitle = {International Conference on Learning Representations},
  year      = {2017},
  url       = {https://arxiv.org/abs/1609.07843}
}""",
        homepage="https://wikitext.smerity.com",
    )


_WIKITEXT_2 = _wikitext(2, 4_475_746, "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c")
_WIKITEXT_103 = _wikitext(103, 190_229_076, "242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590")

DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _WMT14_EN_DE,
        _WMT14_EN_FR,
        _IWSLT14_EN_DE,
        _wikitext_dataset(2, _WIKITEXT_2, 36_718, "Wikipedia articles, 2 million words, rare words as <unk>"),
        _wikitext_dataset(103, _WIKITEXT_103, 1_801_350, "Wikipedia articles, 103 million words, rare words as <unk>"),
    )
}
