"""Each format in its true and its odd forms; the characters of the text are the matter of ``test_alignment``."""

import gzip
import io
import json
import logging
import tarfile
import tracemalloc

import pytest

from data_prep.formats import PairSource, detect, read_pairs, read_segments
from data_prep.formats.hub import hub_files, read_hub
from tests.data_prep.parallel_samples import WRITERS

MIB = 1 << 20


@pytest.fixture
def write(tmp_path):
    """Write texts to files by name and return them as a source."""

    def write(texts, **options):
        for name, text in texts.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return PairSource(tuple(str(tmp_path / name) for name in texts), **options)

    return write


def _read(source, src="en", tgt="de"):
    return list(read_pairs(source, src, tgt))


def _message(source, src="en", tgt="de"):
    with pytest.raises(ValueError) as caught:
        _read(source, src, tgt)
    return str(caught.value)


class TestDetection:
    @pytest.mark.parametrize("form", WRITERS)
    def test_by_name_and_content(self, tmp_path, form):
        found = detect(WRITERS[form](tmp_path, [("one", "eins")]))
        assert found == {"mteval_xml": "mteval", "sgm": "mteval"}.get(form, form)

    def test_within_an_archive_and_compressed(self, tmp_path, write):
        source = WRITERS["mteval_xml"](tmp_path, [("one", "eins")])
        with tarfile.open(tmp_path / "de-en.tgz", "w:gz") as archive:
            for file in source.files:
                data = gzip.compress(open(file, "rb").read())  # noqa: SIM115
                info = tarfile.TarInfo(f"de-en/{file.rpartition('/')[2]}.gz")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        names = [f"{tmp_path}/de-en.tgz::de-en/{file.rpartition('/')[2]}.gz" for file in source.files]
        assert _read(PairSource(tuple(names))) == [("one", "eins")]

    def test_what_cannot_be_told(self, write):
        assert "one file with a name that tells no format; name the file of the other" in _message(write({"a": "x\n"}))
        assert "XML of no known form; expected <mteval>" in _message(write({"a.xml": "<html></html>"}))
        assert "unknown format 'odd'; known formats: plain, tsv" in _message(write({"a": "x\n"}, format="odd"))
        assert "has both sides in one file, got two" in _message(write({"a.tsv": "x\n", "b.tsv": "y\n"}))
        assert "has a file for each side; name the second" in _message(write({"a.sgm": "x\n"}))
        assert "has no columns, got 1,2" in _message(write({"a": "x\n", "b": "y\n"}, columns=("1", "2")))
        with pytest.raises(ValueError, match="in one or two files, got 3: a, b, c"):
            PairSource(("a", "b", "c"))


class TestPlain:
    def test_without_a_language_in_the_names_the_order_holds(self, write):
        assert _read(write({"a": "one\n", "b": "eins\n"})) == [("one", "eins")]

    def test_compressed_files_in_either_order(self, write):
        source = write({"giga.fixed.de.gz": gzip.compress(b"eins\n"), "giga.fixed.en.gz": gzip.compress(b"one\n")})
        assert _read(source) == [("one", "eins")]

    def test_languages_that_have_no_name_here(self, write):
        assert _read(write({"train.sah": "A\n", "train.liv": "a\n"}), "liv", "sah") == [("a", "A")]

    def test_one_name_that_tells_is_enough(self, write):
        assert _read(write({"train.de": "eins\n", "other": "one\n"})) == [("one", "eins")]

    def test_languages_that_contradict(self, write):
        assert "both are en; expected en and de" in _message(write({"a.en": "x\n", "b.en": "x\n"}))
        assert "says the language is fr; expected en or de" in _message(write({"a.en": "x\n", "b.fr": "x\n"}))

    def test_numbers_of_lines(self, write):
        message = _message(write({"a.en": "1\n2\n3\n", "a.de": "1\n"}))
        assert "a.en has 3 lines" in message
        assert "a.de has 1 lines; line N of each must belong" in message

    def test_one_side(self, tmp_path):
        (tmp_path / "mono.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
        counted = []
        assert list(read_segments(f"{tmp_path}/mono.gz", meter=counted.append)) == ["one", "two"]
        assert sum(counted) == (tmp_path / "mono.gz").stat().st_size


class TestTsv:
    @pytest.mark.parametrize(
        ("name", "expected"), [("x.de-en.tsv", ("b", "a")), ("x.en-de.tsv", ("a", "b")), ("made-en.tsv", ("a", "b"))]
    )
    def test_the_name_tells_the_order(self, write, name, expected):
        assert _read(write({name: "a\tb\tc\n"})) == [expected]

    @pytest.mark.parametrize("columns", [("3", "1"), ("english", "german")])
    def test_columns(self, write, columns):
        header = "german\tscore\tenglish\n" if columns[0] == "english" else ""
        assert _read(write({"x.tsv": header + "eins\t0.9\tone\n"}, columns=columns)) == [("one", "eins")]

    def test_a_header_with_the_languages(self, write):
        assert _read(write({"x.tsv": "id\tde\ten\n7\teins\tone\n"})) == [("one", "eins")]

    def test_blank_lines_are_empty_pairs(self, write):
        assert _read(write({"x.tsv": "\na\tb\n\t\n\nc\td\n"})) == [("", ""), ("a", "b"), ("", ""), ("", ""), ("c", "d")]

    def test_columns_that_must_be_given(self, write):
        scored = "1.25\tone\teins\n"
        assert "x.tsv: a number or an address in the first two columns; say which" in _message(write({"x.tsv": scored}))
        addresses = "http://x.example/a\thttp://x.example/b\tone\teins\n"
        assert "for example columns 2,3 of: http://x.example/a," in _message(write({"x.tsv": addresses}))
        assert _read(write({"x.tsv": scored}, columns=("2", "3"))) == [("one", "eins")]
        assert _read(write({"x.tsv": "1999\t1999\na\tb\n"})) == [("1999", "1999"), ("a", "b")]

    def test_languages_named_in_every_row_are_no_header(self, write):
        rows = "1.25\tone\teins\ten\tde\n1.2\ttwo\tzwei\ten\tde\n"
        assert "x.tsv:2: the codes of the first row again: it is no header" in _message(write({"x.tsv": rows}))
        assert _read(write({"x.tsv": rows}, columns=("2", "3"))) == [("one", "eins"), ("two", "zwei")]

    def test_ragged_rows_and_missing_columns(self, write):
        assert "x.tsv:2: 3 columns, expected 2 as in the first row" in _message(write({"x.tsv": "a\tb\na\tb\tc\n"}))
        assert "no column '4'; the first row has 2 columns: a, b" in _message(
            write({"x.tsv": "a\tb\n"}, columns=("1", "4"))
        )


TALK = "<url>http://x</url>\n<talkid>{0}</talkid>\n<title>T</title>\n{1}<translator href='x'>N</translator>\n"


class TestTrainTags:
    def test_iwslt17_with_doc_tags_and_leading_spaces(self, write):
        side = '<doc docid="1" genre="lectures">\n<url>u</url>\n<talkid>1</talkid>\n {} \n<Applause>\n</doc>\n'
        source = write({"train.tags.en-de.en": side.format("one"), "train.tags.en-de.de": side.format("eins")})
        assert _read(source) == [("one", "eins"), ("<Applause>", "<Applause>")]

    def test_a_talk_that_differs_though_the_total_agrees(self, write):
        texts = {
            "train.tags.de-en.en": TALK.format(7, "a\nb\n") + TALK.format(8, "c\n"),
            "train.tags.de-en.de": TALK.format(7, "A\n") + TALK.format(8, "B\nC\n"),
        }
        message = _message(write(texts))
        assert "train.tags.de-en.en:4 has 2 plain lines (talk 7)" in message
        assert "train.tags.de-en.de:4 has 1 plain lines (talk 7)" in message

    def test_a_talk_that_one_side_lacks(self, write):
        texts = {
            "train.tags.de-en.en": TALK.format(7, "a\n") + TALK.format(8, "c\n"),
            "train.tags.de-en.de": TALK.format(7, "A\n"),
        }
        assert "train.tags.de-en.de has no talk number 2" in _message(write(texts))

    @pytest.mark.parametrize("end", ["", "<speaker>x</speaker>\n", "<title>x</title>\nb\n"])
    def test_a_tag_with_lines_after_it_that_is_not_closed(self, write, end):
        texts = {"train.tags.de-en.en": f"\n<title>\na\n{end}", "train.tags.de-en.de": f"\n<title>x</title>\nA\n{end}"}
        assert "train.tags.de-en.en:2: <title> is not closed before line 4" in _message(write(texts))

    def test_a_description_of_several_lines_and_a_speaker_without_name(self, write):
        texts = {
            "train.tags.de-en.en": "<description>On\n this\nand</description>\n<speaker>\n<talkid>1</talkid>\na\n",
            "train.tags.de-en.de": "<description>\n</description>\n<speaker></speaker>\n<talkid>1</talkid>\nA\n<doc>",
        }
        assert _read(write(texts)) == [("a", "A")]


def _set(kind, docs, attributes="srclang='any' trglang='any'"):
    return f"<{kind} setid=x {attributes}>\n{docs}</{kind}>"


def _doc(name, segments, attributes=""):
    body = "".join(f'<seg id="{number}">{text}</seg>\n' for number, text in segments.items())
    return f'<doc docid="{name}" {attributes}>\n{body}</doc>\n'


class TestMteval:
    def test_odd_tags_quotes_and_wrapping(self, write):
        src = (
            "<!DOCTYPE mteval SYSTEM 'mteval.dtd' [ <!ENTITY x '<seg>'> ]>\n<!-- <seg id='1'>no</seg> -->\n"
            "<SRCSET srclang=German setid='x'><DOC genre=news DocID=a/1>\n<hl>\n<Seg ID = 1> AT&T &amp;amp; &lt;b>"
            " 1 < 2\ngoes  on\n</SEG ></hl>\n<p><seg id='2'></seg><seg id=3/></p></DOC></SRCSET>"
        )
        tgt = _set(
            "refset", _doc("a/1", {1: "x &eacute;&#8217;&#x2028;y &notknown; &x;", 2: "", 3: ""}), "trglang=English"
        )
        assert _read(write({"x.sgm": src, "y.sgm": tgt}), "de", "en") == [
            ("AT&T &amp; <b> 1 < 2 goes on", "x \u00e9\u2019 y &notknown; &x;"),
            ("", ""),
            ("", ""),
        ]

    def test_documents_in_another_order_are_joined(self, write):
        one, two = _doc("1", {1: "a", 2: "b"}), _doc("2", {1: "c"})
        source = write({"x.en.sgm": _set("srcset", one + two), "y.de.sgm": _set("refset", two + one)})
        assert _read(source) == [("a", "a"), ("b", "b"), ("c", "c")]

    @pytest.mark.parametrize("tgt", [{1: "A", 2: "B"}, {1: "A", 2: "B", 4: "C"}, {1: "A", 2: "B", 2.5: "X", 3: "C"}])
    def test_segments_that_differ(self, write, tgt):
        texts = {
            "x.en.sgm": _set("srcset", _doc("d", {1: "a", 2: "b", 3: "c"})),
            "y.de.sgm": _set("refset", _doc("d", tgt)),
        }
        message = _message(write(texts))
        assert "x.en.sgm:5 has document 'd' segment '3'" in message
        assert "y.de.sgm" in message

    def test_several_references(self, write):
        docs = "".join(_doc("d", {1: name}, f'sysid="{name}"') for name in ("refA", "refB"))
        texts = {"x.en.sgm": _set("srcset", _doc("d", {1: "a"}, 'sysid="src"')), "y.de.sgm": _set("refset", docs)}
        assert _read(write(texts)) == [("a", "refA")]
        assert _read(write(texts, reference="refB")) == [("a", "refB")]
        assert "y.de.sgm: no reference 'refC'; there are: refA, refB" in _message(write(texts, reference="refC"))

    def test_several_reference_sets(self, write):
        sets = "".join(_set("refset", _doc("d", {1: name}), f"trglang=de refid={name}") for name in ("one", "two"))
        source = write({"x.en.sgm": _set("srcset", _doc("d", {1: "a"})), "y.de.sgm": sets}, reference="two")
        assert _read(source) == [("a", "two")]

    @pytest.mark.parametrize(
        ("lang", "attribute"),
        [("sk", "slovak"), ("pt-br", "brazilian portuguese"), ("zh-cn", "chinese"), ("cs", "cz"), ("liv", "livonian")],
    )
    def test_names_of_languages(self, write, lang, attribute):
        texts = {
            f"x.{'cz' if lang == 'cs' else lang}.xml": _set("srcset", _doc("d", {1: "a"}), f'srclang="{attribute}"'),
            "y.xml": _set("refset", _doc("d", {1: "A"}), 'srclang="any" trglang="any"'),
        }
        assert _read(write(texts), lang, "ps") == [("a", "A")]
        assert _read(write(texts), "ps", lang) == [("A", "a")]

    def test_name_and_attributes_that_contradict(self, write):
        texts = {"x.en.sgm": _set("srcset", _doc("d", {1: "a"}), "srclang=german"), "y.de.sgm": "x"}
        texts["y.de.sgm"] = _set("refset", _doc("d", {1: "a"}))
        assert "x.en.sgm: its attributes say de, its name says en" in _message(write(texts))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("<doc docid=d>\n<seg id=1>a\n<seg id=2>b</seg></doc>", ":2: the segment is not closed before <seg id=2>"),
            ("<doc docid=d>\n<seg id=1>a\n</doc>", ":2: the segment is not closed before </doc>"),
            ("<doc docid=d>\n<seg id=1>a\n", ":2: the segment is not closed"),
            ("<doc docid=d>\n<seg>a</seg></doc>", ":2: a <seg> without id"),
            ("<doc>\n<seg id=1>a</seg></doc>", ":1: a <doc> without docid"),
            ("\n<seg id=1>a</seg>", ":2: a <seg> outside of a <doc>"),
            ("<doc docid=d></seg></doc>", ":1: </seg> without a <seg>"),
            ("<doc docid=d></doc>", ": no segments; expected <doc> with <seg>"),
            ("<doc docid=d><seg id=1>" + "x>\n" * MIB, ":1: the segment has more than"),
            ("x\n" * MIB, ":524289: more than 1,048,576 characters without a tag"),
        ],
    )
    def test_what_is_not_of_the_form(self, write, text, message):
        assert f"x.en.sgm{message}" in _message(write({"x.en.sgm": text, "y.de.sgm": text}))


def _wmt(docs, top="dataset"):
    return f"<?xml version='1.0' encoding='utf-8'?>\n<{top} id='x'>{docs}</{top}>"


def _side(tag, lang, segments, more=""):
    body = "".join(f'<seg id="{number}">{text}</seg>' for number, text in segments.items())
    return f'<{tag} lang="{lang}" {more}><p>{body}</p></{tag}>'


class TestWmtXml:
    DOCS = (
        "<collection id='general'><doc id='1'>"
        + _side("src", "en", {1: "a", 2: "b &amp; c"})
        + _side("ref", "de", {1: "A1"}, "translator='B'")
        + _side("ref", "de", {2: "A2\n  x", 1: "A1"}, "translator='C'")
        + _side("ref", "fr", {1: "F"}, "translator='B'")
        + "</doc></collection><collection id='suite'><doc id='2'>"
        + _side("src", "en", {1: "c"})
        + "<hyp system='S' language='de'><p><seg id='1'>H</seg></p></hyp></doc></collection>"
    )

    def test_the_translator_who_covers_most(self, write, caplog):
        with caplog.at_level(logging.WARNING):
            assert _read(write({"x.xml": _wmt(self.DOCS)})) == [("a", "A1"), ("b & c", "A2 x")]
        assert "left out 1 source segments without the translation 'C'" in caplog.text

    def test_one_translator(self, write):
        assert _read(write({"x.xml": _wmt(self.DOCS)}, reference="B")) == [("a", "A1")]
        assert "no translation by 'Z'; there are: 'B', 'C'" in _message(
            write({"x.xml": _wmt(self.DOCS)}, reference="Z")
        )

    def test_the_other_direction_and_a_tie(self, write):
        references = "".join(_side("ref", "en", {1: name}, f"translator='{name}'") for name in ("B", "A"))
        docs = f"<doc id='1'>{_side('src', 'de', {1: 'eins'})}{references}</doc>"
        assert _read(write({"x.xml": _wmt(docs)})) == [("A", "eins")]

    def test_several_sources(self, write):
        docs = (
            "<doc id='1'>"
            + "".join(_side("src", lang, {1: lang}) for lang in ("cs", "en"))
            + _side("ref", "de", {1: "A"})
        )
        assert _read(write({"x.xml": _wmt(docs + "</doc>")})) == [("en", "A")]

    def test_languages_that_are_not_there(self, write):
        assert "x.xml: no translation between en and ru; it has: de, en, fr" in _message(
            write({"x.xml": _wmt(self.DOCS)}), "en", "ru"
        )

    def test_segments_without_or_with_the_same_id(self, write):
        for side, reason in (
            ("<src lang='en'><seg>a</seg></src>", "without id"),
            (_side("src", "en", {1: "a"}) * 2, "'1' twice"),
        ):
            docs = f"<doc id='7'>{side}{_side('ref', 'de', {1: 'A'})}</doc>"
            assert f"document '7' has a segment {reason} in its <src>" in _message(write({"x.xml": _wmt(docs)}))


def _tmx(units, head=""):
    return f'<?xml version="1.0"?>{head}<tmx version="1.4"><header/><body>{units}</body></tmx>'


def _unit(**variants):
    tuvs = "".join(
        f'<tuv xml:lang="{lang.replace("_", "-")}"><seg>{text}</seg></tuv>' for lang, text in variants.items()
    )
    return f"<tu>{tuvs}</tu>"


class TestTmx:
    def test_regions_codes_and_other_languages(self, write, caplog):
        units = (
            _unit(
                fr="un", DE_at="eins", EN_us="a<bpt i='1'>&lt;b></bpt> <hi>very <ph/>\n big</hi><ept i='1'>x</ept> one"
            )
            + _unit(en="no German")
            + _unit(en="one", de="two").replace("</tu>", '<tuv xml:lang="de"><seg>three</seg></tuv></tu>')
            + _unit(en_GB="colour", en="color", de="Farbe").replace("xml:lang", "lang")
        )
        with caplog.at_level(logging.WARNING):
            assert _read(write({"x.tmx": _tmx(units)})) == [("a very big one", "eins"), ("color", "Farbe")]
        assert "left out 2 units that have no text, or several, in en or de" in caplog.text

    def test_no_unit_with_both(self, write):
        assert "x.tmx: none of its 1 units has both en and de" in _message(
            write({"x.tmx": _tmx(_unit(en="a", fr="b"))})
        )

    def test_a_variant_without_language(self, write):
        units = _unit(en="a", de="A") + "<tu><tuv><seg>b</seg></tuv></tu>"
        assert "x.tmx: unit 2: a <tuv> without xml:lang" in _message(write({"x.tmx": _tmx(units)}))

    def test_utf16_and_a_document_type(self, write):
        text = (
            '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE tmx SYSTEM "tmx14.dtd">'
            + _tmx(_unit(en="a", de="\u00e4"))[21:]
        )
        assert _read(write({"x.tmx": text.encode("utf-16")})) == [("a", "\u00e4")]

    @pytest.mark.parametrize(
        "definitions",
        [
            '<!ENTITY a "x">',
            '<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">',
            '<!ENTITY a SYSTEM "file:///etc/passwd">',
            '<!ENTITY % a SYSTEM "http://localhost/x"> %a;',
        ],
    )
    def test_entity_definitions_are_refused(self, write, definitions):
        text = _tmx(_unit(en="&c;", de="x"), f"<!DOCTYPE tmx [{definitions}]>")
        message = _message(write({"x.tmx": text}))
        assert "x.tmx: refused near byte" in message
        assert "Entit" in message

    def test_not_well_formed_or_cut_off(self, write):
        assert "x.tmx:2: not well-formed XML: mismatched tag" in _message(write({"x.tmx": "<tmx>\n<tu></tmx>"}))
        assert "x.tmx:1: not well-formed XML" in _message(write({"x.tmx": _tmx(_unit(en="a", de="b"))[:-9]}))

    @pytest.mark.parametrize(
        ("bomb", "message"),
        [
            ("<a>" * 100_000, "elements more than 100 deep before byte"),
            ("x" * 20 * MIB, "an element is too large at byte"),
            (f"<a b='{'x' * 20 * MIB}'/>", "an element is too large at byte"),
            ("<!--" + "x" * 20 * MIB + "-->", "an element is too large at byte"),
        ],
    )
    def test_elements_without_bounds(self, write, bomb, message):
        source = write({"x.tmx.gz": gzip.compress(_tmx(bomb).encode())})
        tracemalloc.start()
        found, peak = _message(source), tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert message in found
        assert peak < 16 * MIB

    def test_memory_is_flat(self, write):
        source = write({"x.tmx": _tmx(_unit(en="some words", de="einige Worte") * 5000)})
        tracemalloc.start()
        count, peak = sum(1 for _ in read_pairs(source, "en", "de")), tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == 5000
        assert peak < 2 * MIB


class TestJsonl:
    def test_forms_of_rows(self, write):
        rows = [{"en": "a\nb", "de": "A\u2028B", "id": 3}, {"translation": {"en": "c", "de": ""}}]
        assert _read(write({"x.jsonl": "\n".join(map(json.dumps, rows)) + "\n\n"})) == [("a b", "A B"), ("c", "")]

    def test_columns(self, write):
        assert _read(write({"x.jsonl": '{"s": "a", "t": "A"}'}, columns=("s", "t"))) == [("a", "A")]

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ('{"en": "a"}', "expected the keys en and de, got: en"),
            ('{"en": "a", "de": 3}', "expected a text, got 3"),
            ("[1]", "expected the keys en and de, got: list"),
            ('{"en": "a', "not JSON: Unterminated string"),
            ('{"en": "a", "de": "A", "en": "b"}', "not JSON: a key is given twice"),
            ("[" * 100_000, "not JSON"),
            ('{"en": "\\ud800", "de": "a"}', "half of a surrogate pair at character 1"),
        ],
    )
    def test_what_is_not_a_pair(self, write, row, message):
        found = _message(write({"x.jsonl": f'{{"en": "a", "de": "A"}}\n{row}\n'}))
        assert f"x.jsonl:2: {message}" in found


class TestHub:
    ROWS = [{"translation": {"en": f"one\n{number}", "de": f"eins {number}"}} for number in range(2500)]

    @pytest.fixture
    def datasets(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        datasets = pytest.importorskip("datasets")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        return datasets

    def test_a_saved_folder(self, tmp_path, datasets):
        made = datasets.Dataset.from_list(self.ROWS)
        datasets.DatasetDict(train=made, test=made.select([7])).save_to_disk(tmp_path / "saved")
        folder = str(tmp_path / "saved")
        assert list(read_hub(folder, None, "test", "de", "en")) == [("eins 7", "one 7")]
        assert len(_read(PairSource((folder,)))) == 2500
        assert [path.parent.name for path in hub_files(folder, None, "test")] == ["test"]
        with pytest.raises(ValueError, match="no split 'dev'; there are: train, test"):
            list(read_hub(folder, None, "dev", "de", "en"))

    def test_a_saved_split_is_not_taken_for_another(self, tmp_path, datasets):
        rows = {"en": ["one"], "de": ["eins"]}
        datasets.Dataset.from_dict(rows, split="train").save_to_disk(tmp_path / "saved")
        assert list(read_hub(str(tmp_path / "saved"), None, "train", "en", "de")) == [("one", "eins")]
        with pytest.raises(ValueError, match="no split 'test'; there are: train"):
            list(read_hub(str(tmp_path / "saved"), None, "test", "en", "de"))

    def test_a_folder_with_the_files_of_a_data_set(self, tmp_path, datasets):
        made = datasets.Dataset.from_list(self.ROWS)
        made.to_parquet(tmp_path / "data/train-00000-of-00001.parquet")
        made.select([7]).to_parquet(tmp_path / "data/test-00000-of-00001.parquet")
        folder = str(tmp_path / "data")
        assert list(read_hub(folder, None, "test", "de", "en")) == [("eins 7", "one 7")]
        assert len(list(read_hub(folder, None, "train", "de", "en"))) == 2500
        with pytest.raises(RuntimeError, match=r"cannot be had: Unknown split \"dev\""):
            list(read_hub(folder, None, "dev", "de", "en"))

    def test_parquet_with_either_kind_of_columns(self, tmp_path, datasets):
        file = str(tmp_path / "x.parquet")
        for rows in (self.ROWS, [row["translation"] for row in self.ROWS]):
            datasets.Dataset.from_list(rows).to_parquet(file)
            counted = []
            pairs = list(read_pairs(PairSource((file,)), "en", "de", meter=counted.append))
            assert pairs[2499] == ("one 2499", "eins 2499")
            assert len(pairs) == 2500
        assert "row 1: expected the keys en and fr, got: " in _message(PairSource((file,)), "en", "fr")

    def test_what_is_no_data_set(self, tmp_path, write, datasets):
        assert "x.parquet: not readable as parquet" in _message(write({"x.parquet": "x"}))
        (tmp_path / "files").mkdir()
        (tmp_path / "x.parquet").rename(tmp_path / "files/x.parquet")
        with pytest.raises(RuntimeError, match="the data set cannot be had: Parquet file size is 1 bytes"):
            list(read_hub(str(tmp_path / "files"), None, "train", "en", "de"))
        (tmp_path / "files/state.json").write_text("{}")
        with pytest.raises(ValueError, match="not readable as what datasets.save_to_disk writes"):
            list(read_hub(str(tmp_path / "files"), None, "train", "en", "de"))

    def test_without_the_package(self, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "datasets", None)
        with pytest.raises(RuntimeError, match=r"pip install 'rims-nlp\[hub\]'"):
            list(read_hub(str(tmp_path), None, "train", "en", "de"))
