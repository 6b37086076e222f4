"""Recurrent Independent Mechanisms for sequence-to-sequence NLP: layers in plain PyTorch."""

from rims_nlp.modules.attention import SequenceAttention
from rims_nlp.modules.dropout import LockedDropout
from rims_nlp.modules.recurrent import LSTMCore, RelationalMemoryCore, RIMCore
from rims_nlp.modules.relational_memory import RelationalMemory, RelationalMemoryCell
from rims_nlp.modules.rim import RIM, RIMActivity, RIMCell

__all__ = [
    "RIM",
    "LSTMCore",
    "LockedDropout",
    "RIMActivity",
    "RIMCell",
    "RIMCore",
    "RelationalMemory",
    "RelationalMemoryCell",
    "RelationalMemoryCore",
    "SequenceAttention",
]
