"""Every switch of a RIM layer, with the published disagreements as named choices."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

CHOICES = {
    "cell": ("lstm", "gru"),
    "variant": ("reference", "paper"),
    "comm_source": ("candidate", "committed"),
    "comm_update": ("gated", "residual"),
    "init": ("reference", "fan_in"),
}
VARIANTS = {
    "reference": {"comm_source": "candidate", "comm_update": "gated"},
    "paper": {"comm_source": "committed", "comm_update": "residual"},
}


@dataclass(frozen=True)
class RIMOptions:
    """Options of one RIM layer. Defaults: Table 3 of Goyal et al. (2021) and, where it is silent, the authors' code.

    Args:
        num_units: number of units K (the paper's k_T).
        num_active: units updated at each step (the paper's k_A), in ``[1, num_units]``.
        cell: dynamics of a unit, "lstm" or "gru".
        variant: "reference" (the authors' code) or "paper" (the text); it sets ``comm_source`` and ``comm_update``.
        num_input_heads: heads of the input attention. Their null probabilities are averaged for the competition,
            their reads concatenated.
        input_key_size: query and key size of an input head.
        input_value_size: value size of an input head; None: ``4 * unit_size / num_input_heads``, so that the heads
            together have four times the unit's size.
        input_positions: 0 shares the key and value weights between all elements of the input. N > 0 gives each of N
            positions its own; an input of one element is then presented at every position (the authors'
            ``num_modules_read_input - 1``).
        num_comm_heads: heads of the communication attention.
        comm_key_size: query and key size of a communication head (Table 3: 32; the authors' copying script: 16).
        comm_value_size: value size of a communication head.
        comm_source: what an inactive unit shows to the others: its discarded "candidate" state (reference) or its
            "committed", unchanged one (paper). None: by ``variant``.
        comm_update: what communication adds: "gated" ``sigmoid(gate) * tanh(projection)`` with weights shared by the
            units (reference), or a "residual" projection of each unit's own (paper). None: by ``variant``.
        block_inactive_grad: stop the gradient that communication sends into inactive units (Fig. 26).
        comm_top_k: keep only this many units per query, head and step (None: all).
        competition: False: all units are active at every step (ablation).
        communication: False: units never communicate (ablation).
        input_attention: False: every unit reads the projected input with weight 1 (ablation).
        input_dropout: on what the units read.
        comm_dropout: on the projected communication (before the tanh).
        bias: the two bias vectors of torch's cells.
        init: "reference" (attention 0.01 N(0, 1); cells U(+-1/sqrt(hidden_size))) or "fan_in"
            (attention N(0, 1/fan_in); cells U(+-1/sqrt(unit_size))).

    Raises:
        ValueError: for an unknown choice or a number out of range; the message gives got and expected.
    """

    num_units: int = 6
    num_active: int = 4
    cell: str = "lstm"
    variant: str = "reference"
    num_input_heads: int = 4
    input_key_size: int = 64
    input_value_size: int | None = None
    input_positions: int = 0
    num_comm_heads: int = 4
    comm_key_size: int = 32
    comm_value_size: int = 32
    comm_source: str | None = None
    comm_update: str | None = None
    block_inactive_grad: bool = True
    comm_top_k: int | None = None
    competition: bool = True
    communication: bool = True
    input_attention: bool = True
    input_dropout: float = 0.1
    comm_dropout: float = 0.1
    bias: bool = True
    init: str = "reference"

    def __post_init__(self) -> None:
        _check_choice("variant", self.variant)
        for name, value in VARIANTS[self.variant].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for name in CHOICES:
            _check_choice(name, getattr(self, name))
        for name in (
            "num_units", "num_input_heads", "input_key_size", "num_comm_heads", "comm_key_size", "comm_value_size",
        ):  # fmt: skip
            check_at_least(name, getattr(self, name), 1)
        check_at_least("input_positions", self.input_positions, 0)
        if self.input_value_size is not None:
            check_at_least("input_value_size", self.input_value_size, 1)
        _check_range("num_active", self.num_active, self.num_units)
        if self.comm_top_k is not None:
            _check_range("comm_top_k", self.comm_top_k, self.num_units)
        for name in ("input_dropout", "comm_dropout"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if not self.input_attention and self.competition and self.num_active < self.num_units:
            raise ValueError(
                "input_attention=False leaves no score to compete by: "
                f"set competition=False or num_active=num_units, got num_active={self.num_active} of {self.num_units}"
            )

    @classmethod
    def from_keywords(cls, **options: object) -> RIMOptions:
        """Build the options; an unknown name is refused with the list of the known ones."""
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise TypeError(f"unknown RIM option {', '.join(unknown)}; expected one of {', '.join(known)}")
        return cls(**options)  # type: ignore[arg-type]

    @property
    def num_gates(self) -> int:
        """Gates of the cell (G): 4 for LSTM, 3 for GRU."""
        return 4 if self.cell == "lstm" else 3

    @property
    def num_states(self) -> int:
        """State tensors of the cell: 2 for LSTM (h, c), 1 for GRU (h)."""
        return 2 if self.cell == "lstm" else 1

    @property
    def competes(self) -> bool:
        """Whether a selection takes place at all."""
        return self.competition and self.num_active < self.num_units

    def resolve(self, hidden_size: int) -> RIMOptions:
        """These options with ``input_value_size`` set for the given total width."""
        if hidden_size < 1 or hidden_size % self.num_units:
            raise ValueError(
                "hidden_size must be a positive multiple of num_units, "
                f"got hidden_size={hidden_size}, num_units={self.num_units}"
            )
        if self.input_value_size is not None:
            return self
        total = 4 * (hidden_size // self.num_units)
        if total % self.num_input_heads:
            raise ValueError(
                f"the default input value size 4 * unit_size = {total} must be divisible by num_input_heads, "
                f"got num_input_heads={self.num_input_heads}; give input_value_size (per head) instead"
            )
        return replace(self, input_value_size=total // self.num_input_heads)


def _check_choice(name: str, value: str) -> None:
    if value not in CHOICES[name]:
        raise ValueError(f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}")


def check_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _check_range(name: str, value: int, num_units: int) -> None:
    if not 1 <= value <= num_units:
        raise ValueError(f"{name} must be in [1, num_units], got {name}={value}, num_units={num_units}")
