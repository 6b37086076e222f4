"""The batches of a resumed run."""

from argparse import Namespace

import pytest
from fairseq.tasks import FairseqTask
from fairseq.tasks.translation import TranslationConfig, TranslationTask

import fairseq_plugins  # noqa: F401
from tests.plugin import toy


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy.binarise(tmp_path_factory.mktemp("resume") / "corpus", train=200)


def batches(data, get, epoch):
    """Sentence ids of the batches of a training that starts in ``epoch``."""
    config = TranslationConfig(
        data=str(data),
        source_lang="en",
        target_lang="de",
        dataset_impl="mmap",
        num_batch_buckets=0,
        train_subset="train",
    )
    task = TranslationTask.setup_task(config)
    task.load_dataset("train")
    iterator = get(task, task.dataset("train"), max_tokens=100, epoch=epoch)
    assert iterator.next_epoch_idx == epoch
    return [list(batch) for batch in iterator.frozen_batches]


def test_resumed_in_a_later_epoch_the_batches_are_the_same(data):
    assert batches(data, FairseqTask.get_batch_iterator, 3) == batches(data, FairseqTask.get_batch_iterator, 1)


def test_fairseq_would_make_others(data):
    original = FairseqTask.get_batch_iterator.__wrapped__
    assert batches(data, original, 3) != batches(data, original, 1)
    assert batches(data, original, 1) == batches(data, FairseqTask.get_batch_iterator, 1)


def test_batches_that_are_rebuilt_every_epoch_are_left_alone(data):
    def rebuilding(task, dataset, **options):
        task.cfg = Namespace(rebuild_batches=True, train_subset="train")
        return FairseqTask.get_batch_iterator(task, dataset, **options)

    assert batches(data, rebuilding, 3) != batches(data, rebuilding, 1)
