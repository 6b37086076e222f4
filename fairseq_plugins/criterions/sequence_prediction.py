"""The criterion ``sequence_prediction``: the mean loss of the steps that count, and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.logging import metrics
from torch import Tensor
from torch.nn import functional

Logs = dict[str, Any]


@register_criterion("sequence_prediction")
class SequencePredictionCriterion(FairseqCriterion):
    """Cross-entropy in nats and accuracy where the task's targets are classes, else the mean squared error.

    Both are means over the steps that count: an average over all steps of the copying task, most of which ask for
    nothing, makes a model that has learnt nothing look good.
    """

    def forward(self, model: torch.nn.Module, sample: Mapping[str, Any]) -> tuple[Tensor, int, Logs]:
        """Evaluate a batch.

        Returns:
            the loss, summed over the steps that count; their number; and the logs.
        """
        output, target = model(**sample["net_input"]).float(), sample["target"]  # (B, S, size), (B, S)
        logs = {"ntokens": target.numel(), "nsentences": len(target), "sample_size": target.numel()}
        if self.task.form.target_kind == "classes":
            loss = functional.cross_entropy(output.flatten(0, 1), target.flatten(), reduction="sum")
            logs["correct"] = (output.argmax(-1) == target).sum()
        else:
            loss = functional.mse_loss(output.squeeze(-1), target.float(), reduction="sum")
        return loss, target.numel(), {"loss": loss.detach(), **logs}

    @staticmethod
    def reduce_metrics(logging_outputs: Sequence[Logs]) -> None:
        """Log ``loss`` and, where the targets are classes, ``accuracy``."""
        steps = sum(log["sample_size"] for log in logging_outputs)
        metrics.log_scalar("loss", sum(log["loss"] for log in logging_outputs) / steps, steps, round=5)
        if "correct" in logging_outputs[0]:
            correct = sum(log["correct"] for log in logging_outputs)
            metrics.log_scalar("accuracy", correct / steps, steps, round=5)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True
