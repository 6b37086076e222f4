"""Named sizes of the ``*_predictor`` families, one for each task of ``python -m data_prep synthetic`` with arrays.

``copying`` and ``adding`` are what the scripts of Goyal et al. (2021) set for the RIMs, with the LSTM as wide. Their
relational memory and their Transformer are nowhere described; here they have about as many parameters as the RIMs.
``nth_farthest`` has the perceptron and the relational memory of Santoro et al. (2018), A.1. ``tiny`` is for tests and
first tries.
"""

from __future__ import annotations

Values = dict[str, object]

TINY: Values = {"embed_dim": 48, "hidden_size": 96, "dropout": 0.0}
COPYING: Values = {"embed_dim": 600, "hidden_size": 600, "dropout": 0.5}
ADDING: Values = {"embed_dim": 600, "hidden_size": 600, "dropout": 0.2}
NTH_FARTHEST: Values = {"embed_dim": 600, "hidden_size": 600, "dropout": 0.0, "head_layers": 4, "head_size": 256}
LSTM = {"tiny": TINY, "copying": COPYING, "adding": ADDING, "nth_farthest": NTH_FARTHEST}

CORE: Values = {"comm_key_size": 16, "comm_value_size": 16, "input_dropout": 0.1, "comm_dropout": 0.1}
RIMS = {
    "tiny": {**TINY, "comm_key_size": 8, "comm_value_size": 8, "input_key_size": 16},
    "copying": {**COPYING, **CORE},
    "adding": {**ADDING, **CORE, "use_inactive": True},
    "nth_farthest": {**NTH_FARTHEST, **CORE},
}

MEMORY: Values = {"hidden_size": 1600, "memory_slots": 4, "memory_heads": 4}
RMC = {
    "tiny": {**TINY, "memory_slots": 2, "memory_heads": 2},
    "copying": {**COPYING, **MEMORY},
    "adding": {**ADDING, **MEMORY},
    "nth_farthest": {**NTH_FARTHEST, "hidden_size": 2048, "memory_slots": 8, "memory_heads": 8},
}

LAYERS: Values = {"embed_dim": 192, "layers": 4, "attention_heads": 4, "ffn_embed_dim": 768}
TRANSFORMER = {
    "tiny": {"embed_dim": 48, "layers": 2, "attention_heads": 4, "ffn_embed_dim": 96},
    "copying": {**LAYERS, "layer_dropout": 0.1},
    "adding": {**LAYERS, "layer_dropout": 0.1},
    "nth_farthest": {**LAYERS, "head_layers": 4, "head_size": 256},
}
