"""Writers of the same pairs in every format, in the form that organisers ship."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from data_prep.formats import PairSource

Pairs = list[tuple[str, str]]


def _write(folder: Path, texts: dict[str, str]) -> PairSource:
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode("utf-8"))
    return PairSource(tuple(str(folder / name) for name in texts))


def plain(folder: Path, pairs: Pairs) -> PairSource:
    return _write(folder, {f"train.{lang}": _lines(pairs, side) for side, lang in enumerate(("en", "de"))})


def tsv(folder: Path, pairs: Pairs) -> PairSource:
    rows = [f"{tgt}\t{src}".replace("\n", " ") + "\n" for src, tgt in pairs]
    return _write(folder, {"europarl-v10.de-en.tsv": "".join(rows)})


def train_tags(folder: Path, pairs: Pairs) -> PairSource:
    return _write(
        folder, {f"train.tags.de-en.{lang}": _talks(pairs, side, lang) for side, lang in enumerate(("en", "de"))}
    )


def mteval_xml(folder: Path, pairs: Pairs) -> PairSource:
    heads = (
        '<refset setid="iwslt2016-dev2010" srclang="german" trglang="english" refid="ref">',
        '<srcset setid="iwslt2016-dev2010" srclang="german">',
    )
    texts = {}
    for side, lang in enumerate(("en", "de")):
        kind = heads[side][1:7]
        body = f'<doc docid="69" genre="lectures">\n<title>A talk</title>\n{_segments(pairs, side)}</doc>\n'
        texts[f"IWSLT16.TED.dev2010.de-en.{lang}.xml"] = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<mteval>\n{heads[side]}\n{body}</{kind}>\n</mteval>'
        )
    return _write(folder, texts)


def sgm(folder: Path, pairs: Pairs) -> PairSource:
    texts = {}
    for side, (kind, name) in enumerate((("srcset", "src.en"), ("refset", "ref.de"))):
        target = "" if kind == "srcset" else ' trglang="de"'
        body = f'<DOC sysid=ref docid="news.1" origlang="en">\n<P>\n{_segments(pairs, side)}</p>\n</doc>\n'
        texts[f"newstest2017-ende-{name}.sgm"] = f'<{kind} setid="x" srclang="any"{target}>\n{body}</{kind}>\n'
    return _write(folder, texts)


def wmt_xml(folder: Path, pairs: Pairs) -> PairSource:
    sides = [f"<p>\n{_segments(pairs, side)}</p>\n" for side in (0, 1)]
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n<dataset id="wmt22">\n<collection id="general">\n'
        f'<doc origlang="en" id="a">\n<src lang="en">\n{sides[0]}</src>\n'
        f'<ref lang="de" translator="A">\n{sides[1]}</ref>\n<hyp system="S" language="de">\n{sides[0]}</hyp>\n'
        "</doc>\n</collection>\n</dataset>\n"
    )
    return _write(folder, {"wmt22.en-de.all.xml": text})


def tmx(folder: Path, pairs: Pairs) -> PairSource:
    variants = (("en-US", 0), ("de", 1))
    units = "".join(
        "<tu>\n"
        + "".join(f'<tuv xml:lang="{lang}"><seg>{_xml(pair[side])}</seg></tuv>\n' for lang, side in variants)
        + "</tu>\n"
        for pair in pairs
    )
    head = '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header/><body>\n'
    return _write(folder, {"memory.tmx": f"{head}{units}</body></tmx>\n"})


def jsonl(folder: Path, pairs: Pairs) -> PairSource:
    rows = [
        json.dumps({"translation": {"de": tgt, "en": src}}, ensure_ascii=number % 2 == 0)
        for number, (src, tgt) in enumerate(pairs)
    ]
    return _write(folder, {"train.jsonl": "".join(f"{row}\n" for row in rows)})


WRITERS: dict[str, Callable[[Path, Pairs], PairSource]] = {
    write.__name__: write for write in (plain, tsv, train_tags, mteval_xml, sgm, wmt_xml, tmx, jsonl)
}


def _lines(pairs: Pairs, side: int) -> str:
    return "".join(pair[side].replace("\n", " ") + "\n" for pair in pairs)


def _talks(pairs: Pairs, side: int, lang: str) -> str:
    half = len(pairs) // 2
    return "".join(
        f"<url>http://talks.example/{lang}/{number}</url>\n<keywords>talks</keywords>\n<speaker>Someone</speaker>\n"
        f"<talkid>{number}</talkid>\n<title>Title</title>\n<description>On\n something</description>\n"
        f"{_lines(part, side)}<reviewer href='x'>R</reviewer>\n"
        for number, part in enumerate((pairs[:half], pairs[half:]), start=1)
    )


def _segments(pairs: Pairs, side: int) -> str:
    return "".join(f'<seg id="{number}"> {_xml(pair[side])} </seg>\n' for number, pair in enumerate(pairs, start=1))


def _xml(text: str) -> str:
    """Escape a text, and replace by spaces what XML 1.0 cannot hold."""
    return escape(re.sub("[\0-\x08\v\f\x0e-\x1f\ufffe\uffff]", " ", text))
