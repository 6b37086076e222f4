"""A minute of training must teach a model to reverse a sentence."""

import sacrebleu

from tests.plugin import toy


def test_rims_learn_to_reverse(tmp_path):
    data = toy.binarise(tmp_path / "corpus", train=4000, test=100)
    checkpoint = toy.train(
        data, tmp_path / "model", "--task", "translation", "--arch", "rims_seq2seq_tiny", "-s", "en", "-t", "fr",
        "--share-all-embeddings", "--lr", "0.01", "--lr-scheduler", "inverse_sqrt", "--warmup-updates", "100",
        "--clip-norm", "1", "--max-tokens", "500", "--max-update", "250", "--disable-validation",
    )  # fmt: skip
    output = toy.run_fairseq(
        "generate", data, "--user-dir", toy.USER_DIR, "--cpu", "-s", "en", "-t", "fr", "--path", checkpoint,
        "--beam", "5", "--required-batch-size-multiple", "1",
    )  # fmt: skip
    lines = [line.split("\t") for line in output.splitlines()]
    hypotheses = {line[0][2:]: line[2] for line in lines if line[0].startswith("H-")}
    references = {line[0][2:]: line[1] for line in lines if line[0].startswith("T-")}
    assert len(references) == 100
    bleu = sacrebleu.corpus_bleu([hypotheses[key] for key in references], [list(references.values())], force=True)
    assert bleu.score > 60
