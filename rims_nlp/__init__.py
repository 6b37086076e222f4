"""Recurrent Independent Mechanisms for sequence-to-sequence NLP: layers in plain PyTorch."""

from rims_nlp.modules.attention import SequenceAttention
from rims_nlp.modules.recurrent import LSTMCore, RIMCore
from rims_nlp.modules.rim import RIM, RIMActivity, RIMCell

__all__ = ["RIM", "LSTMCore", "RIMActivity", "RIMCell", "RIMCore", "SequenceAttention"]
