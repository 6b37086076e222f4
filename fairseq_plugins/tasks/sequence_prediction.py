"""The task ``sequence_prediction``: at each step that counts, predict a class or a number from the sequence so far.

``fairseq-train DIR --task sequence_prediction --criterion sequence_prediction --arch rims_predictor_copying ...``

DIR is a folder of ``python -m data_prep synthetic copying``, ``adding`` or ``nth_farthest``. Every sequence starts from
a fresh state, every epoch draws its batches anew, and validation can take any splits of the folder:
``--valid-subset valid,test200``, also in ``fairseq-validate DIR --path CHECKPOINT --task sequence_prediction
--valid-subset test50,test200 --batch-size 100``. Logged are ``loss``, the mean cross-entropy (nats) or squared error of
the steps that count, and ``accuracy``; the chance level is printed at the start.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from fairseq.criterions import FairseqCriterion
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import FairseqTask, register_task
from omegaconf import II, MISSING

from fairseq_plugins.tasks.sequence_data import SequenceDataset, read_form

logger = logging.getLogger(__name__)
CRITERION = "sequence_prediction"


@dataclass
class SequencePredictionConfig(FairseqDataclass):
    """Options of the task."""

    data: str = field(default=MISSING, metadata={"help": "folder that `python -m data_prep synthetic` has written"})
    train_subset: str = II("dataset.train_subset")


@register_task("sequence_prediction", dataclass=SequencePredictionConfig)
class SequencePredictionTask(FairseqTask):
    """Prediction on sequences of tokens or vectors; see the module's text.

    Attributes:
        form: what inputs and targets are.
    """

    cfg: SequencePredictionConfig

    def __init__(self, cfg: SequencePredictionConfig, from_checkpoint: bool = False) -> None:
        super().__init__(cfg)
        self.form = read_form(cfg.data)
        chance = ", ".join(f"{name} {value:.4f}" for name, value in self.form.chance.items())
        logger.info("chance level: %s", chance)

    def load_dataset(self, split: str, *args: Any, **kwargs: Any) -> None:
        """Load a split; only the one to train on is shuffled."""
        self.datasets[split] = SequenceDataset.load(self.cfg.data, split, shuffle=split == self.cfg.train_subset)

    def build_criterion(self, cfg: Any, from_checkpoint: bool = False) -> FairseqCriterion:
        """Build the criterion.

        Raises:
            ValueError: if it is another than ``sequence_prediction``, which alone knows what counts.
        """
        name = getattr(cfg, "_name", None) or getattr(cfg, "criterion", None)
        if name != CRITERION:
            raise ValueError(f"--task sequence_prediction needs --criterion {CRITERION}, got {name}")
        return super().build_criterion(cfg, from_checkpoint)

    @property
    def source_dictionary(self) -> None:
        """None: the inputs are numbers."""
        return None

    @property
    def target_dictionary(self) -> None:
        """None: the targets are numbers."""
        return None
