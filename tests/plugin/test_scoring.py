"""Scores against known values, and what is refused."""

import pytest

from fairseq_plugins import scoring

REFERENCES = ["The cat sits on the mat in the house.", "There is no reason to wait for the others."] * 10


def test_perfect_translation_scores_100_with_signatures():
    result = scoring.score(REFERENCES, REFERENCES)
    assert (result["bleu"], result["chrf"]) == (100.0, 100.0)
    assert result["bleu_signature"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert result["chrf_signature"].startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")


def test_known_score():
    # Of 7 words 6 match, of 6 pairs 4, of 5 triples 2, of 4 quadruples 1; the lengths are equal.
    result = scoring.score(["a b c d x f g"], ["a b c d e f g"])
    assert result["bleu"] == pytest.approx(100 * (6 / 7 * 4 / 6 * 2 / 5 * 1 / 4) ** 0.25, abs=0.01)


def test_line_counts_must_agree():
    with pytest.raises(ValueError, match=r"out\.hyp has 1 lines but test\.de has 2: .* aligned"):
        scoring.check_line_counts(["a"], ["a", "b"], "out.hyp", "test.de")
    with pytest.raises(ValueError, match="the hypotheses has 1 lines but the reference has 20"):
        scoring.score(["a"], REFERENCES)


def test_nothing_to_score():
    with pytest.raises(ValueError, match="the reference is empty"):
        scoring.score([], [])


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_bootstrap_tells_better_from_equal_and_repeats_itself(metric):
    good = [line if index % 10 else "no" for index, line in enumerate(REFERENCES)]
    bad = [line if index % 2 else "no" for index, line in enumerate(REFERENCES)]
    values = scoring.paired_bootstrap(bad, {"good": good, "same": bad}, REFERENCES, samples=200, metric=metric)
    assert values["good"] < 0.05
    assert values["same"] == 1.0
    again = scoring.paired_bootstrap(bad, {"good": good, "same": bad}, REFERENCES, samples=200, metric=metric)
    assert values == again


def test_two_worthless_translations_do_not_differ():
    assert scoring.paired_bootstrap(["x"] * 20, {"other": ["y"] * 20}, REFERENCES, samples=50) == {"other": 1.0}


def test_bootstrap_refuses_a_metric_that_it_does_not_know():
    with pytest.raises(ValueError, match="metric must be one of bleu, chrf, got 'ter'"):
        scoring.paired_bootstrap(REFERENCES, {"other": REFERENCES}, REFERENCES, metric="ter")


def test_bootstrap_refuses_a_short_translation():
    with pytest.raises(ValueError, match="other has 19 lines but the reference has 20"):
        scoring.paired_bootstrap(REFERENCES, {"other": REFERENCES[1:]}, REFERENCES)


def test_lines_end_at_line_feeds_alone(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("a\u2028b\r\n\nc\x0bd".encode())
    assert scoring.read_lines(path) == ["a\u2028b", "", "c\x0bd"]
    path.write_bytes(b"")
    assert scoring.read_lines(path) == []


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nothing: no such file"):
        scoring.read_lines(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"cannot be read \(Is a directory\)") as error:
        scoring.read_lines(tmp_path)
    assert str(tmp_path) in str(error.value)
    (tmp_path / "latin1").write_bytes(b"Gr\xfc\xdfe\n")
    with pytest.raises(ValueError, match=r"latin1: is not UTF-8 text .* at byte 2"):
        scoring.read_lines(tmp_path / "latin1")
