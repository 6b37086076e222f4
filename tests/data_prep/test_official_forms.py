"""The forms that organisers have shipped over the years, read in both directions with the files in either order."""

import io
import tarfile
from itertools import permutations

import pytest

from data_prep.__main__ import main

PAIRS = [("Salt & pepper", "Salz & Pfeffer"), ("3 < 4", "3 < 4"), ('It said "so".', "So stand es.")]
HEAD = "<url>http://x.example/?a=1&b=2</url>\n<keywords>a, b</keywords>\n<speaker>S. P.</speaker>\n"
PEOPLE = '<reviewer href="http://x.example/1">R</reviewer>\n'
TRANSLATOR = '<translator href="http://x.example/2">T</translator>\n'


def _texts(side):
    return [pair[side] for pair in PAIRS]


def _segments(side, form='<seg id="{0}">{1}</seg>\n'):
    return [form.format(number, text) for number, text in enumerate(_texts(side), start=1)]


def _escaped(side):
    return [text.replace("&", "&amp;").replace("<", "&lt;") for text in _texts(side)]


def iwslt17_train_tags():
    def talks(side):
        about = f"<talkid>{{0}}</talkid>\n<title>A <i>title</i></title>\n<description>D.</description>\n{PEOPLE}"
        first, second = (f'<doc docid="{number}" genre="lectures">\n{HEAD}{about.format(number)}' for number in (1, 2))
        translators = TRANSLATOR if side else ""
        one, *others = _texts(side)
        return f"{first}{one}\n{translators}</doc>\n{second}" + "".join(f" {text} \n" for text in others) + "</doc>\n"

    return {f"en-de.tgz::en-de/train.tags.en-de.{lang}": talks(side) for side, lang in enumerate(("en", "de"))}


def iwslt17_xml():
    def document(side):
        body = "".join(_segments(side, '<seg id="{0}"> {1} </seg>\n'))
        return f'<doc docid="69" genre="lectures">\n{HEAD}<talkid>69</talkid>\n{TRANSLATOR}{body}</doc>\n'

    heads = (
        'refset setid="dev2010" srclang="german" trglang="english" refid="ref"',
        'srcset srclang="german"',
    )
    return {
        f"x.tgz::x/IWSLT17.TED.dev2010.de-en.{lang}.xml": (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<mteval>\n<{heads[side]}>\n{document(side)}</{heads[side][:6]}>\n'
            "</mteval>"
        )
        for side, lang in enumerate(("en", "de"))
    }


def wmt08_sgm():
    def document(side):
        title, *others = _segments(side)
        return f'<DOC docid="a.com/1" sysid="ref">\n<hl>\n{title}</hl>\n<p>\n{"".join(others)}</p>\n</DOC>\n'

    return {
        "news-test2008-src.en.sgm": f'<srcset setid="news-test2008" srclang="any">\n{document(0)}</srcset>',
        "news-test2008-ref.cz.sgm": f'<refset setid="x" srclang="any" trglang="cz">\n{document(1)}</refset>\n',
    }


def wmt17_sgm_and_moses_output():
    source = "".join(_segments(0)).replace('"so"', "&quot;so&quot;")
    output = "".join(_segments(1, "<seg id={0}> {1} </seg>"))
    return {
        "newstest2017-ende-src.en.sgm": '<srcset setid="newstest2017" srclang="any">\r\n'
        f'<doc sysid="ref" docid="a" genre="news" origlang="en">\r\n<p>\r\n{source}</p>\r\n</doc>\r\n</srcset>',
        "wrapped.sgm": '<tstset trglang="de" setid="newstest2017" srclang="any">\n'
        f'<DOC sysid="moses" docid="a" genre="news" origlang="en">\n<hl>\n{output}\n</hl>\n</DOC>\n</tstset>',
    }


def wmt22_xml():
    def side(tag, lang, attributes, texts):
        body = "".join(f'        <seg id="{number}">{text}</seg>\n' for number, text in enumerate(texts, start=1))
        return f"    <{tag} {attributes}{lang}>\n      <p>\n{body}      </p>\n    </{tag}>\n"

    german = 'lang="de"'
    documents = (
        '  <doc origlang="en" id="1" domain="news">\n'
        + side("hyp", german, 'system="Online-A" ', "xyz")
        + side("ref", german, 'translator="B" ', "ijk")
        + side("src", 'lang="en"', "", _escaped(0))
        + side("ref", german, 'translator="A" ', _escaped(1))
        + "  </doc>\n"
    )
    source = side("src", 'lang="en"', "", ["only here"])
    suite = f'  <doc origlang="en" id="2" testsuite="s">\n{source}  </doc>\n'
    return {
        "generaltest2022.en-de.all.xml": "<?xml version='1.0' encoding='utf-8'?>\n<dataset id=\"wmttest2022\">\n"
        f'  <collection id="general">\n{documents}  </collection>\n  <collection id="s">\n{suite}  </collection>\n'
        "</dataset>\n"
    }


def opus_tmx():
    units = "".join(
        f'    <tu>\n      <tuv xml:lang="de"><seg>{german}</seg></tuv>\n      <tuv xml:lang="en"><prop>x</prop>'
        f"<seg>{english}</seg></tuv>\n    </tu>\n"
        for english, german in zip(_escaped(0), _escaped(1), strict=True)
    )
    return {
        "de-en.tmx": '<?xml version="1.0" encoding="UTF-8" ?>\n<tmx version="1.4">\n<header srclang="de"\n'
        f' segtype="sentence"\n datatype="PlainText" />\n  <body>\n{units}  </body>\n</tmx>\n'
    }


def news_commentary():
    return {"news-commentary-v15.de-en.tsv": "".join(f"{german}\t{english}\n" for english, german in PAIRS)}


FORMS = (
    iwslt17_train_tags,
    iwslt17_xml,
    wmt08_sgm,
    wmt17_sgm_and_moses_output,
    wmt22_xml,
    opus_tmx,
    news_commentary,
)


def _write(folder, texts):
    """Write files and the members of archives; returns their locations."""
    packed = {}
    for location, text in texts.items():
        file, _, member = location.partition("::")
        if member:
            packed.setdefault(file, []).append((member, text.encode()))
        else:
            (folder / file).write_bytes(text.encode())
    for file, members in packed.items():
        with tarfile.open(folder / file, "w:gz") as archive:
            for name, content in members:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return [f"{folder}/{location}" for location in texts]


@pytest.mark.parametrize("form", FORMS)
def test_both_directions_and_orders(tmp_path, form):
    german = "cs" if form is wmt08_sgm else "de"
    for files in permutations(_write(tmp_path, form())):
        for src, tgt in (("en", german), (german, "en")):
            assert main(["extract", *files, "--src", src, "--tgt", tgt, "--out", f"{tmp_path}/out"]) == 0
            read = [(tmp_path / f"out.{lang}").read_text().splitlines() for lang in ("en", german)]
            assert list(zip(*read, strict=True)) == PAIRS
