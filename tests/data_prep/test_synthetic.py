"""The synthetic tasks: their rules, checked against a second way to compute each answer, and the written folders."""

import ast
import json
import operator
import random
import re
from itertools import product

import numpy as np
import pytest

from data_prep import __main__ as command
from data_prep import indexed
from data_prep.synthetic.adding import Adding
from data_prep.synthetic.build import write
from data_prep.synthetic.copying import Copying
from data_prep.synthetic.memorisation import Memorisation
from data_prep.synthetic.nth_farthest import NthFarthest
from data_prep.synthetic.programs import ADD, FOR, IF, OPERATIONS, SUBTRACT, Programs
from data_prep.synthetic.strings import constant_answer
from data_prep.verify import verify

COUNTS = {"train": 1500, "valid": 20, "test": 30}


def make(folder, name, *options, **counts):
    """Run the command line; returns the folder."""
    sizes = [item for split, count in {**COUNTS, **counts}.items() for item in (f"--{split}", str(count))]
    assert command.main(["synthetic", name, "--out", str(folder), *sizes, *options]) == 0
    return folder


def load(folder, split):
    return tuple(np.load(folder / f"{split}.{name}.npy") for name in ("inputs", "targets", "scored"))


def lines(folder, split, side):
    return (folder / "text" / f"{split}.{side}").read_text().splitlines()


@pytest.mark.parametrize("split, delay", [("train", 7), ("valid", 7), ("test3", 3), ("test20", 20)])
def test_copying(tmp_path, split, delay):
    inputs, targets, scored = load(make(tmp_path / "out", "copying", "--delay", "7", "--test-delay", "3", "20"), split)
    assert inputs.shape == (COUNTS[re.sub(r"\d+", "", split)], delay + 20)
    assert scored.tolist() == [False] * (delay + 10) + [True] * 10
    assert (inputs[:, :10] == targets).all()
    assert (inputs[:, 10:] == [0] * (delay - 1) + [9] + [0] * 10).all()
    assert set(np.unique(targets)) == set(range(1, 9))


def test_copying_can_count_all_steps_in_training_only(tmp_path):
    folder = make(tmp_path / "out", "copying", "--delay", "4", "--test-delay", "4", "--train-on-all-steps")
    inputs, targets, scored = load(folder, "train")
    assert scored.all() and targets.shape == (1500, 24)
    assert (targets[:, :14] == 0).all() and (targets[:, 14:] == inputs[:, :10]).all()
    assert load(folder, "valid")[2].sum() == load(folder, "test4")[2].sum() == 10


@pytest.mark.parametrize("channels", [2, 3])
def test_adding(tmp_path, channels):
    folder = make(tmp_path / "out", "adding", "--length", "6", "--test-length", "8", "--channels", str(channels))
    for split, length in (("train", 6), ("test8", 8)):
        inputs, targets, scored = load(folder, split)
        values, marks = inputs[..., 0], inputs[..., 1:]
        assert inputs.shape[1:] == (length, channels)
        assert scored.tolist() == [False] * (length - 1) + [True]
        halves = marks.sum(-1).reshape(-1, 2, length // 2)
        assert (halves.sum(-1) == 1).all()
        assert halves.any(axis=(0, 1)).all()  # every place is marked sometimes
        if channels == 3:
            assert (marks[:, : length // 2, 1] == 0).all() and (marks[:, length // 2 :, 0] == 0).all()
        assert (values.min(), values.max()) == (pytest.approx(0, abs=0.01), pytest.approx(1, abs=0.01))
        np.testing.assert_allclose(targets[:, 0], (values * marks.sum(-1)).sum(1), rtol=1e-6)


def test_the_chance_level_of_adding_is_the_error_of_the_answer_one(tmp_path):
    folder = make(tmp_path / "out", "adding", train=20000)
    _, targets, _ = load(folder, "train")
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["chance"] == {"loss": 1 / 6}
    assert np.square(targets - 1).mean() == pytest.approx(1 / 6, rel=0.02)


def farthest_label(sequence):
    """The answer, worked out number by number."""
    vectors, labels = sequence[:, :16].astype(float), sequence[:, 16:24].argmax(1)
    n, m = sequence[0, 24:32].argmax() + 1, sequence[0, 32:40].argmax()
    centre = next(vector for vector, label in zip(vectors, labels, strict=True) if label == m)
    ranked = sorted(zip(vectors, labels, strict=True), key=lambda pair: -np.linalg.norm(pair[0] - centre))
    return ranked[n - 1][1], n, m


def test_nth_farthest(tmp_path):
    folder = make(tmp_path / "out", "nth_farthest")
    inputs, targets, scored = load(folder, "train")
    assert inputs.shape == (1500, 8, 40) and targets.shape == (1500, 1)
    assert scored.tolist() == [False] * 7 + [True]
    assert (inputs[:, 1:, 24:] == inputs[:, :1, 24:]).all()  # the question stays the same
    assert (inputs[..., 16:24].sum(1) == 1).all()  # every label once
    assert -1 <= inputs[..., :16].min() < -0.99 and 0.99 < inputs[..., :16].max() <= 1
    asked = set()
    for sequence, target in zip(inputs[:300], targets[:300, 0], strict=True):
        expected, n, m = farthest_label(sequence)
        assert target == expected
        assert n < 8 or expected == m
        asked.add(n)
    assert asked == set(range(1, 9))


def evaluate(text):
    """The value of a program, by a parser that takes nothing else."""
    value, rest = _expression(text)
    assert rest == ""
    return value


def _expression(text):
    if text.startswith("x="):
        value, rest = _operand(text[2:])
        rounds = re.match(r"for\[([1-9])\]x\+=", rest)
        step, rest = _operand(rest[rounds.end() :])
        return value + int(rounds[1]) * step, rest
    a, rest = _operand(text)
    if not rest.startswith("if"):
        symbol = {"+": operator.add, "-": operator.sub, "*": operator.mul}[rest[0]]
        b, rest = _operand(rest[1:])
        return symbol(a, b), rest
    b, rest = _operand(rest[2:])
    holds = {"<": operator.lt, ">": operator.gt}[rest[0]]
    c, rest = _operand(rest[1:])
    assert rest.startswith("else")
    d, rest = _operand(rest[4:])
    return (a if holds(b, c) else d), rest


def _operand(text):
    if text.startswith("("):
        value, rest = _expression(text[1:])
        assert rest[0] == ")"
        return value, rest[1:]
    digits = re.match(r"[1-9]\d*", text)[0]
    return int(digits), text[len(digits) :]


def evaluate_by_python(text):
    """The value of a program without loops, as Python parses it."""
    symbols = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
    signs = {ast.Lt: operator.lt, ast.Gt: operator.gt}

    def value(node):
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.BinOp(left=left, op=op, right=right):
                return symbols[type(op)](value(left), value(right))
            case ast.IfExp(test=ast.Compare(left=left, ops=[sign], comparators=[right]), body=body, orelse=orelse):
                return value(body) if signs[type(sign)](value(left), value(right)) else value(orelse)
        raise AssertionError(ast.dump(node))

    return value(ast.parse(re.sub("(if|else)", r" \1 ", text), mode="eval").body)


@pytest.mark.parametrize("operations, length, nesting", product(OPERATIONS, (1, 5), (1, 3)))
def test_answers_of_programs(operations, length, nesting):
    task, rng = Programs(operations=operations, length=length, nesting=nesting), random.Random(0)
    for _ in range(200):
        program, answer = task.draw(rng, mixed=False)
        assert answer == str(evaluate(program) % 10 ** (length + 1))
        if "for" not in program:
            assert evaluate(program) == evaluate_by_python(program)
        numbers = re.findall(r"\d+", re.sub(r"\[\d\]", "", program))
        assert {len(number) for number in numbers} == {length}
        assert program.count("(") == nesting - 1
        assert len(program) <= (3 * length + 10) * (nesting - 1) + 4 * length + 10 + 2 * (nesting - 1)
        assert len(answer) <= max(2 * length, 2)
        assert set(program + answer) <= set(task.alphabet)


class Script:
    """In place of a random generator: gives what it is told."""

    def __init__(self, *values):
        self.values = iter(values)

    def choice(self, options):
        value = next(self.values)
        assert value in options
        return value

    def randint(self, low, high):
        value = next(self.values)
        assert low <= value <= high
        return value

    def randrange(self, count):
        return self.randint(0, count - 1)


def test_worked_examples_of_programs():
    """Santoro et al. (2018), A.2: the answers printed there."""
    task = Programs(operations="full", length=5, nesting=2)
    script = Script(SUBTRACT, 82930, 31249, FOR, 10000, 98315, 6)
    assert task.draw(script, mixed=False) == ("x=(82930-31249)for[6]x+=98315", "641571")
    script = Script(FOR, 76957, 62117, 7, FOR, 10000, 90285, 8)
    assert task.draw(script, mixed=False) == ("x=(x=76957for[7]x+=62117)for[8]x+=90285", "234056")
    script = Script(SUBTRACT, 10000, 99999, ADD, 10000, 10000)
    assert task.draw(script, mixed=False) == ("(10000-99999)+10000", "920001")  # -79999 modulo 10 ** 6


def test_only_in_the_papers_control_programs_any_operand_is_a_program():
    paper, sonnet = Programs(operations="control_paper", length=1), Programs(operations="control", length=1)
    script = Script(ADD, 1, 2, IF, 3, 4, 5, 6, 1, "<")
    assert paper.draw(script, mixed=False) == ("3if(1+2)<5else6", "3")
    slots = {re.sub(r"\d", "", paper.draw(random.Random(seed), mixed=False)[0]).find("(") for seed in range(200)}
    assert len(slots) > 3
    for seed in range(200):
        assert sonnet.draw(random.Random(seed), mixed=False)[0].removeprefix("x=").startswith("(")


def test_the_mix_draws_every_length_and_nesting():
    task, rng = Programs(operations="addition", length=3, nesting=2), random.Random(0)
    sizes = {
        (len(re.match(r"\(?(\d+)", text)[1]), text.count("+"))
        for text, _ in (task.draw(rng, mixed=True) for _ in range(300))
    }
    assert sizes == set(product((1, 2, 3), (1, 2)))


@pytest.mark.parametrize("operation, expected", [("copy", "120"), ("reverse", "021"), ("double", "120120")])
def test_memorisation(operation, expected):
    assert Memorisation(operation=operation, length=3).draw(Script(120), mixed=False) == ("120", expected)
    assert Memorisation(operation="copy", length=3).draw(Script(2, 10), mixed=True) == ("10", "10")


def test_strings_are_binarised_for_translation(tmp_path):
    folder = make(tmp_path / "out", "programs", "--operations", "control", "--length", "3")
    assert (folder / "dict.program.txt").read_bytes() == (folder / "dict.answer.txt").read_bytes()
    symbols = ["<s>", "<pad>", "</s>", "<unk>"]
    symbols += [line.split(" ")[0] for line in (folder / "dict.answer.txt").read_text().splitlines()]
    for split, side in product(("train", "valid", "test"), ("program", "answer")):
        text = indexed.read(folder / f"{split}.program-answer.{side}")
        read = ["".join(symbols[token] for token in text[number]) for number in range(len(text))]
        assert read == [line + "</s>" for line in lines(folder, split, side)]
        assert len(read) == COUNTS[split]
    for program, answer in zip(lines(folder, "test", "program"), lines(folder, "test", "answer"), strict=True):
        assert evaluate(program) % 10**4 == int(answer)
    assert {len(re.findall(r"\d+", line)[0]) for line in lines(folder, "train", "program")} == {1, 2, 3}
    assert all(re.match(r"\D*\d{3}\D", line) for line in lines(folder, "valid", "program"))
    assert all(check.ok for check in verify(folder))


def test_without_the_mix_training_is_as_hard_as_the_test(tmp_path):
    folder = make(tmp_path / "out", "memorisation", "--curriculum", "none", "--length", "4")
    assert {len(line) for line in lines(folder, "train", "number")} == {4}


@pytest.mark.parametrize("name", ["copying", "adding", "nth_farthest", "programs", "memorisation"])
def test_a_split_depends_on_seed_and_its_own_size_alone(tmp_path, name):
    def digests(label, *options, **counts):
        files = json.loads((make(tmp_path / label, name, *options, **counts) / "signature.json").read_text())["files"]
        return {file: entry["sha256"] for file, entry in files.items()}

    first, again, longer, other = (
        digests("a"), digests("b"), digests("c", train=50), digests("d", "--seed", "2")
    )  # fmt: skip
    drawn = [file for file in first if re.match(r"text/[tv](?!rain)|[tv](?!rain).*(inputs|targets)", file)]
    assert first == again
    assert len(drawn) >= 4
    assert all(first[file] == longer[file] and first[file] != other[file] for file in drawn)


def test_validation_and_test_sets_of_one_length_differ(tmp_path):
    folder = make(tmp_path / "out", "copying", "--delay", "5", "--test-delay", "5")
    assert not (load(folder, "valid")[0][:20] == load(folder, "test5")[0][:20]).all()


@pytest.mark.parametrize(
    "answers, share",
    [
        (["12", "12"], 1.0),
        (["12", "13", "22"], 7 / 9),  # "12": two of three at each place, and every end
        (["1", "123456"], 8 / 9),  # "123456" has all but the end of the first
        (["7", "7", "7123"], 7 / 9),  # "7123" is ahead of "7", which has 5 of 9
        (["7", "7", "7", "71"], 7 / 9),  # "7" is ahead of "71", which has 6
    ],
)
def test_chance_of_strings_is_the_best_constant_answer(tmp_path, answers, share):
    path = tmp_path / "answers"
    path.write_text("".join(f"{answer}\n" for answer in answers))
    assert constant_answer(path) == pytest.approx(share)


def test_chance_of_a_split_is_in_its_facts(tmp_path):
    folder = make(tmp_path / "out", "memorisation", "--operation", "copy", "--length", "3")
    for split, facts in json.loads((folder / "facts.json").read_text())["splits"].items():
        assert facts["chance"] == {"character_accuracy": constant_answer(folder / f"text/{split}.answer")}
        assert 0.15 < facts["chance"]["character_accuracy"] < 0.7


def test_facts_and_signature(tmp_path):
    folder = make(tmp_path / "out", "copying", "--delay", "5", "--test-delay", "5", "9", "--seed", "3")
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["chance"] == {"loss": pytest.approx(2.0794, abs=1e-4), "accuracy": 0.125}
    assert facts["splits"]["test9"] == {"sequences": 30, "steps": 29, "scored": 10}
    assert facts["options"] == {"delay": 5, "test_delay": [5, 9], "train_on_all_steps": False}
    signature = json.loads((folder / "signature.json").read_text())
    assert signature["config"]["seed"] == 3
    assert signature["command"].startswith("python -m data_prep synthetic copying")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
        *signature["files"],
        "signature.json",
    }


def test_data_that_are_there_are_kept_and_others_not_replaced_unasked(tmp_path, capsys):
    arguments = ["synthetic", "copying", "--train", "10", "--valid", "0", "--test", "0", "--out", str(tmp_path / "out")]
    assert command.main(arguments) == 0
    before = (tmp_path / "out" / "train.inputs.npy").stat().st_mtime_ns
    assert command.main(arguments) == 0
    assert (tmp_path / "out" / "train.inputs.npy").stat().st_mtime_ns == before
    assert sorted(path.name for path in (tmp_path / "out").glob("*.npy")) == [
        "train.inputs.npy", "train.scored.npy", "train.targets.npy",
    ]  # fmt: skip
    assert command.main([*arguments, "--delay", "9"]) == 1
    assert "made from something else (delay was 50, is 9); give --overwrite" in capsys.readouterr().err
    assert command.main([*arguments, "--delay", "9", "--overwrite"]) == 0
    assert np.load(tmp_path / "out" / "train.inputs.npy").shape == (10, 29)


def test_a_folder_that_is_not_complete_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(NthFarthest, "scored", lambda self, split: 1 / 0 if split == "test" else np.arange(8) == 7)
    counts = {"train": 5, "valid": 5, "test": 5}
    with pytest.raises(ZeroDivisionError):
        write(NthFarthest(), tmp_path / "out", counts=counts, seed=1)
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert write(NthFarthest(), tmp_path / "out", counts=counts, seed=1)
    assert not write(NthFarthest(), tmp_path / "out", counts=counts, seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: Copying(delay=0), "delay must be at least 1 step, got 0"),
        (lambda: Copying(test_delay=(5, 5)), "every test set needs a length of its own, got 5, 5"),
        (lambda: Adding(length=7), "length must be an even number of steps, at least 2, got 7"),
        (lambda: Adding(channels=4), "channels must be 2 or 3, got 4"),
        (lambda: Programs(operations="all"), "operations must be one of addition, control, control_paper, full"),
        (lambda: Programs(nesting=0), "nesting must be at least 1, got 0"),
        (lambda: Memorisation(operation="sort"), "operation must be one of copy, reverse, double, got 'sort'"),
        (lambda: Memorisation(curriculum="naive"), "curriculum must be one of mix, none, got 'naive'"),
    ],
)
def test_wrong_options_are_refused(build, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        build()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--train", "-1"], "train: expected 0 or more, got -1"),
        (["--seed", "-1"], "seed: expected 0 or more, got -1"),
        (["--train", "0", "--valid", "0", "--test", "0"], "all splits have 0 sequences"),
    ],
)
def test_wrong_numbers_are_refused(tmp_path, capsys, options, message):
    assert command.main(["synthetic", "adding", "--out", str(tmp_path / "out"), *options]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
