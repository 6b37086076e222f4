"""The joint SentencePiece model and its dictionary."""

import pickle

import numpy as np
import pytest

from data_prep import subword
from data_prep.config import SubwordOptions

TEXT = [f"the {thing} number {number} is here" for number in range(40) for thing in ("house", "tree", "überhaus")]


def train(folder, text=TEXT, seed=1, **options):
    subword.train_model(text, SubwordOptions(**{"vocab_size": 80, **options}), seed=seed, prefix=folder / "spm")
    return subword.load_model(folder / "spm.model")


@pytest.mark.parametrize("options", [{}, {"model_type": "unigram"}, {"byte_fallback": True, "vocab_size": 330}])
def test_same_seed_same_bytes(tmp_path, options):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        train(tmp_path / name, **options)
    for file in ("spm.model", "spm.vocab"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_dictionary_is_the_vocabulary_without_special_pieces(tmp_path):
    model = train(tmp_path)
    lines = subword.dictionary_lines(model)
    pieces = [line.rsplit(" ", 1)[0] for line in lines]
    vocabulary = [line.split("\t")[0] for line in (tmp_path / "spm.vocab").read_text(encoding="utf-8").splitlines()]
    assert vocabulary == ["<unk>", "<s>", "</s>", *pieces]
    assert all(line.endswith("\n") and int(line.rsplit(" ", 1)[1]) > 0 for line in lines)


def test_small_text_fills_fewer_pieces(tmp_path):
    assert len(train(tmp_path, text=["a b", "b a"], vocab_size=5000)) < 100


def test_vocabulary_too_small_for_the_characters(tmp_path):
    text = [chr(0x4E00 + number) * 3 for number in range(100)]
    with pytest.raises(ValueError, match=r"cannot make 20 pieces of this text; raise subword\.vocab_size or lower"):
        train(tmp_path, text=text, vocab_size=20)


def decoded(folder, tokens):
    """Give the numbers back their text by the dictionary, as fairseq would."""
    pieces = [line.rsplit(" ", 1)[0] for line in subword.dictionary_lines(subword.load_model(folder / "spm.model"))]
    text = "".join("\n" if number == 2 else "?" if number == 3 else pieces[number - 4] for number in tokens)
    return [line.replace("▁", " ").removeprefix(" ") for line in text.split("\n")[:-1]]


def test_encode_keeps_lines_and_decodes_back(tmp_path):
    train(tmp_path)
    lines = ["the tree is here", "", "the 漢 house", *TEXT]
    encoder = pickle.loads(pickle.dumps(subword.Encoder(tmp_path / "spm.model")))
    tokens, sizes = encoder.encode(lines)
    assert (tokens.dtype, sizes.dtype, int(sizes.sum())) == (np.uint16, np.int32, len(tokens))
    assert decoded(tmp_path, tokens) == ["the tree is here", "", "the ? house", *TEXT]
    assert (tokens[np.cumsum(sizes) - 1] == subword.END).all()
    assert np.flatnonzero(tokens == subword.END).tolist() == (np.cumsum(sizes) - 1).tolist()
    assert encoder.encode([])[0].shape == (0,)


@pytest.mark.parametrize("model_type", ["bpe", "unigram"])
def test_text_never_becomes_a_symbol_of_fairseq(tmp_path, model_type):
    symbols = {"<s>", "<pad>", "</s>", "<unk>"}
    text = [*TEXT, *[f"a{letter}{symbol}" for letter in "bcdefgh" for symbol in symbols] * 99]
    model = train(tmp_path, text=text, model_type=model_type, vocab_size=100)
    assert not symbols & {line.rsplit(" ", 1)[0] for line in subword.dictionary_lines(model)}
    for symbol in symbols:
        tokens, _ = subword.Encoder(tmp_path / "spm.model").encode([symbol])
        assert len(tokens) > 3 and min(tokens[:-1]) >= 3


def test_user_symbols_are_never_cut(tmp_path):
    train(tmp_path, user_symbols=("<sep>", "<de>"))
    tokens, _ = subword.Encoder(tmp_path / "spm.model").encode(["the<sep>tree <de>"])
    pieces = [line.rsplit(" ", 1)[0] for line in subword.dictionary_lines(subword.load_model(tmp_path / "spm.model"))]
    assert {"<sep>", "<de>"} <= {pieces[number - 4] for number in tokens[:-1]}


def test_bytes_stand_for_unknown_characters(tmp_path):
    train(tmp_path, byte_fallback=True, vocab_size=330)
    tokens, _ = subword.Encoder(tmp_path / "spm.model").encode(["the 漢"])
    assert subword.UNKNOWN not in tokens
