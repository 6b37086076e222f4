"""Read recorded values of the authors' core: weights, input, and what came of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rims_nlp.modules.rim import RIMCell

# Names in the archive -> names of RIMWeights.
WEIGHT_NAMES = {
    "in_w_q": "input_query",
    "in_w_k": "input_key",
    "in_w_v": "input_value",
    "w_ih": "weight_ih",
    "w_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "comm_w_q": "comm_query",
    "comm_w_k": "comm_key",
    "comm_w_v": "comm_value",
    "comm_fc_w": "comm_out_weight",
    "comm_w_o": "comm_out_weight",
    "comm_fc_b": "comm_out_bias",
    "comm_gate_w": "comm_gate_weight",
    "comm_gate_b": "comm_gate_bias",
}


def read_archive(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """Metadata and arrays (float64; masks uint8) of a recorded archive.

    Raises:
        ValueError: if the file is not such an archive.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name != "meta"}
            meta = json.loads(str(archive["meta"]))
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is not a recorded reference (.npz with arrays and `meta`): {error}") from error
    return meta, {name: torch.from_numpy(array) for name, array in arrays.items()}


def load_reference(path: Path) -> RIMCell:
    """The cell whose values an archive records, in float64 and eval mode.

    Raises:
        ValueError: if the file is not such an archive, or lacks a weight.
    """
    meta, arrays = read_archive(path)
    try:
        cell = _build_cell(meta)
    except KeyError as error:
        raise ValueError(f"{path}: `meta` lacks {error}") from error
    weights = {}
    for recorded, name in WEIGHT_NAMES.items():
        if recorded in arrays:
            weights[name] = arrays[recorded]
    for name in ("input_key", "input_value"):
        # The authors' core has one matrix for each input position; a single one is shared by all elements.
        if name in weights and weights[name].dim() == 3 and weights[name].shape[0] == 1:
            weights[name] = weights[name][0]
    try:
        cell.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: the weights do not fit `meta`: {error}") from error
    return cell.eval()


def _build_cell(meta: dict) -> RIMCell:
    positions = meta.get("R", 1)
    return RIMCell(
        meta["din"],
        meta["K"] * meta["D"],
        meta["K"],
        meta["ka"],
        meta["cell"],
        variant=meta.get("variant", "reference"),
        num_input_heads=meta["in_heads"],
        input_key_size=meta["in_dk"],
        input_value_size=meta["in_dv"],
        input_positions=positions if positions > 1 else 0,
        num_comm_heads=meta["comm_heads"],
        comm_key_size=meta["comm_dk"],
        comm_value_size=meta["comm_dv"],
        block_inactive_grad=meta.get("block_inactive_grad", True),
        dtype=torch.float64,
    )
