"""Our layers as torch's own, with the same weights: what ours are compared with."""

from torch import nn

from inpainting.nn.transformer import DecoderLayer, EncoderLayer


def torchs_encoder(layer: EncoderLayer) -> nn.TransformerEncoderLayer:
    other = nn.TransformerEncoderLayer(*_sizes(layer), 0.0, batch_first=True)
    _take_attention(other.self_attn, layer.attention)
    _take_rest(other, layer)
    return other


def torchs_decoder(layer: DecoderLayer) -> nn.TransformerDecoderLayer:
    other = nn.TransformerDecoderLayer(*_sizes(layer), 0.0, batch_first=True)
    _take_attention(other.self_attn, layer.attention)
    _take_attention(other.multihead_attn, layer.to_memory)
    _take_rest(other, layer)
    return other


def _sizes(layer: nn.Module) -> tuple[int, int, int]:
    width, hidden = layer.norms[0].normalized_shape[0], layer.feed_forward[0].out_features
    return width, layer.attention.heads, hidden


def _take_attention(theirs: nn.MultiheadAttention, ours: nn.Module) -> None:
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.into.weight, ours.into.bias
    theirs.out_proj.load_state_dict(ours.out.state_dict())


def _take_rest(theirs: nn.Module, ours: nn.Module) -> None:
    theirs.linear1.load_state_dict(ours.feed_forward[0].state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward[3].state_dict())
    for number, norm in enumerate(ours.norms, 1):
        getattr(theirs, f"norm{number}").load_state_dict(norm.state_dict())
