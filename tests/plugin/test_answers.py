"""Scores of answers that a model writes: compared place by place with what is right."""

from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary

from fairseq_plugins.answers import score_answers

RIGHT = torch.tensor([[4, 5, 6, 2], [7, 2, 1, 1]])  # 2 ends an answer, 1 is padding


class Task:
    """Answers what it is told to."""

    target_dictionary = Dictionary()

    def __init__(self, *answers):
        self.answers = [torch.tensor(answer) for answer in answers]

    def build_generator(self, models, options):
        assert options.beam == 1 and options.max_len_b == RIGHT.shape[1]

    def inference_step(self, generator, models, sample):
        return [[{"tokens": answer}] for answer in self.answers]


def score(*answers):
    subject = SimpleNamespace(path="model.pt", pair=("program", "answer"), task=Task(*answers), model=None)
    return score_answers(subject, [{"target": RIGHT}])


@pytest.mark.parametrize(
    "answers, accuracy, exact",
    [
        (([4, 5, 6, 2], [7, 2]), 1.0, 1.0),
        (([4, 9, 6, 2], [7, 2]), 5 / 6, 0.5),  # one character is wrong
        (([4, 5, 2], [7, 2]), 4 / 6, 0.5),  # ends early
        (([4, 5, 6, 2], [7, 7, 2]), 5 / 6, 0.5),  # goes on: the end is not in its place
        (([2], [2]), 0.0, 0.0),
        (([4, 5, 6, 2], [2]), 4 / 6, 0.5),
    ],
)
def test_characters_count_in_their_place_and_answers_as_a_whole(answers, accuracy, exact):
    found = score(*answers)
    assert found["character_accuracy"] == pytest.approx(accuracy)
    assert found["exact_match"] == pytest.approx(exact)


def test_nothing_to_answer_and_no_translation_are_errors():
    subject = SimpleNamespace(path="model.pt", pair=("a", "b"), task=Task(), model=None)
    with pytest.raises(ValueError, match="there are no questions"):
        score_answers(subject, [])
    subject.pair = None
    with pytest.raises(ValueError, match="model.pt: does not translate"):
        score_answers(subject, [])
