"""``transformer_predictor``: the skeleton with a causal Transformer in the place of the recurrence."""

from dataclasses import dataclass, field
from typing import Any

from fairseq.modules import SinusoidalPositionalEmbedding
from torch import Tensor, nn

from fairseq_plugins.models import predictor_sizes, sizes
from fairseq_plugins.models.predictor import PredictorConfig, SequencePredictor


@dataclass
class TransformerPredictorConfig(PredictorConfig):
    """Options of the skeleton with a Transformer of width ``--embed-dim``."""

    embed_dim: int = field(default=256, metadata={"help": "width of a layer, and size of an embedded input"})
    layers: int = field(default=3, metadata={"help": "layers"})
    attention_heads: int = field(default=4, metadata={"help": "heads of the attention in a layer"})
    ffn_embed_dim: int = field(default=1024, metadata={"help": "width inside the feed-forward part of a layer"})
    layer_dropout: float = field(default=0.0, metadata={"help": "dropout in the layers (probability)"})


class CausalTransformer(nn.Module):
    """Layers in which every step attends to itself and to those before it, with sinusoidal positions.

    Vaswani et al. (2017), "Attention is all you need", with the normalisation before each part of a layer. Positions
    are computed for every batch, so that sequences may be longer than those trained on.

    Args:
        size: width of inputs and outputs.
        layers: their number.
        heads: of the attention.
        feed_forward: width inside the feed-forward part.
        dropout: in the layers.

    Raises:
        ValueError: if size is no multiple of heads.
    """

    def __init__(self, size: int, *, layers: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        if size % heads:
            raise ValueError(f"--embed-dim must be a multiple of --attention-heads, got {size} and {heads}")
        layer = nn.TransformerEncoderLayer(size, heads, feed_forward, dropout, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(size), enable_nested_tensor=False)
        self.output_size = size

    def forward(self, x: Tensor) -> tuple[Tensor, tuple]:
        """Outputs ``(T, B, size)`` for ``x`` of the same shape, and no state."""
        positions = SinusoidalPositionalEmbedding.get_embedding(len(x), self.output_size).to(x).unsqueeze(1)
        mask = nn.Transformer.generate_square_subsequent_mask(len(x), device=x.device, dtype=x.dtype)
        return self.layers(x + positions, mask, is_causal=True), ()


class TransformerPredictor(SequencePredictor):
    """Predictor with a causal Transformer."""

    @classmethod
    def build_core(cls, cfg: Any) -> CausalTransformer:
        return CausalTransformer(
            cfg.embed_dim,
            layers=cfg.layers,
            heads=cfg.attention_heads,
            feed_forward=cfg.ffn_embed_dim,
            dropout=cfg.layer_dropout,
        )


sizes.register_sizes(
    "transformer_predictor", TransformerPredictor, TransformerPredictorConfig, predictor_sizes.TRANSFORMER
)
