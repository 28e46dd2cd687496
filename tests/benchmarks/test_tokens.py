"""TokenGPT's filling against the report's way and against x-transformers; TokenBERT's rounds."""

from collections.abc import Callable

import pytest
import torch
from interleaved import processor_flags, ratio
from torch import Tensor, nn
from torchs_transformer import torchs_decoder, torchs_encoder

from inpainting.nn.token_transformers import TokenEncoder, TokenEncoderDecoder
from inpainting.tokens.decoding import TokenDrawing, holes_of, in_rounds, one_by_one

VOCAB, SIDE, HOLE = 8192, 20, 64  # report 000: 160 px in patches of 8, and a hole of 64x64 px
GREEDY = TokenDrawing(temperature=0.0, top_k=None, top_p=None)


def grids(batch: int) -> tuple[Tensor, Tensor]:
    """Random tokens of images, and the same 8x8 of them hidden in each."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(VOCAB, (batch, SIDE, SIDE), generator=generator)
    hidden = torch.zeros(batch, SIDE, SIDE, dtype=torch.bool)
    hidden[:, 5:13, 6:14] = True
    return tokens, hidden


class WholeModel(nn.Module):
    """torch's transformer with our weights, called as a whole for every token."""

    def __init__(self, ours: TokenEncoderDecoder):
        super().__init__()
        self.ours = ours
        self.encoder = nn.ModuleList([torchs_encoder(layer) for layer in ours.encoder])
        self.decoder = nn.ModuleList([torchs_decoder(layer) for layer in ours.decoder])

    def fill(self, tokens: Tensor, hidden: Tensor) -> Tensor:
        """Fill the same places of all images with the most likely tokens."""
        flat, places = tokens.flatten(1).clone(), hidden[0].flatten().nonzero()[:, 0]
        known = (~hidden[0]).flatten().nonzero()[:, 0]
        ours, at = self.ours, self.ours.embedding.places(SIDE, SIDE)
        written = torch.full((len(tokens), 1), ours.start)
        for _ in places:
            memory = ours.embedding.vectors(flat[:, known]) + at[known]
            for layer in self.encoder:
                memory = layer(memory)
            x = ours.embedding.vectors(written) + at[places[: written.shape[1]]]
            causal = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            for layer in self.decoder:
                x = layer(x, memory, tgt_mask=causal, tgt_is_causal=True)
            token = ours.head(x)[:, -1].argmax(-1, keepdim=True)
            written = torch.cat([written, token], 1)
        flat[:, places] = written[:, 1:]
        return flat.view_as(tokens)


def fill(network: TokenEncoderDecoder, tokens: Tensor, hidden: Tensor) -> Tensor:
    holes = holes_of(tokens, hidden)
    return one_by_one(network.written(tokens, hidden, holes.places), holes, GREEDY, None).tokens


@pytest.mark.parametrize(("batch", "goal", "repeats"), [(1, 10, 3), (4, 15, 1)])
@torch.inference_mode()
def test_token_gpt_fills_faster_than_the_whole_model_for_each_token(
    batch: int, goal: float, repeats: int, report: Callable[..., None]
):
    torch.manual_seed(0)
    network = TokenEncoderDecoder(VOCAB, dropout=0.0).eval()
    whole, (tokens, hidden) = WholeModel(network).eval(), grids(batch)
    assert torch.equal(fill(network, tokens, hidden), whole.fill(tokens, hidden))
    report(
        f"TokenGPT, {HOLE} tokens of {SIDE}x{SIDE}, batch {batch}: whole model each token / ours",
        ratio(lambda: whole.fill(tokens, hidden), lambda: fill(network, tokens, hidden), repeats),
        at_least=goal,
    )


@pytest.mark.parametrize("batch", [1, 4])
@torch.inference_mode()
def test_token_gpt_fills_faster_than_x_transformers(batch: int, report: Callable[..., None]):
    x_transformers = pytest.importorskip("x_transformers", reason="pip install x-transformers")
    torch.manual_seed(0)
    network = TokenEncoderDecoder(VOCAB, dropout=0.0).eval()
    side = {"depth": 6, "heads": 8, "num_tokens": VOCAB + 1, "attn_flash": True}
    named = {f"{part}_{key}": value for part in ("enc", "dec") for key, value in side.items()}
    lengths = {"enc_max_seq_len": SIDE * SIDE - HOLE, "dec_max_seq_len": HOLE + 1}
    other = x_transformers.XTransformer(dim=512, **named, **lengths).eval()
    tokens, hidden = grids(batch)
    known = tokens[~hidden].view(batch, -1)
    start = torch.full((batch, 1), VOCAB)
    report(
        f"TokenGPT, the same, batch {batch}: x-transformers with its cache / ours",
        ratio(
            lambda: other.generate(known, start, HOLE, temperature=0.0, cache_kv=True),
            lambda: fill(network, tokens, hidden),
            repeats=3,
        ),
        at_least=1.3,
    )


@pytest.mark.parametrize("batch", [1, 4])
@torch.inference_mode()
def test_eight_rounds_of_token_bert_against_token_gpt(batch: int, report: Callable[..., None]):
    torch.manual_seed(0)
    one = TokenEncoderDecoder(VOCAB, dropout=0.0).eval()
    all_at_once = TokenEncoder(VOCAB, None, dropout=0.0).eval()
    tokens, hidden = grids(batch)
    report(
        f"{HOLE} tokens, batch {batch}: TokenGPT / 8 rounds of TokenBERT",
        ratio(
            lambda: fill(one, tokens, hidden),
            lambda: in_rounds(all_at_once, holes_of(tokens, hidden), GREEDY, 8, 0.0, None),
            repeats=3,
        ),
    )


def test_token_berts_step_is_faster_in_bf16(report: Callable[..., None]):
    if "amx_bf16" not in processor_flags():
        pytest.skip("this processor has no instructions for bf16 matrices")
    torch.manual_seed(0)
    tokens, hidden = grids(8)
    holes = holes_of(tokens, hidden)

    def stepper(bf16: bool) -> Callable[[], None]:
        network = TokenEncoder(VOCAB, None)
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-4)

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = network(tokens, hidden, holes.places)
            loss = nn.functional.cross_entropy(
                logits.float().flatten(0, 1), holes.at_places(tokens).flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        return step

    report(
        "TokenBERT step, 400 tokens, batch 8: float32 / bf16",
        ratio(stepper(False), stepper(True), repeats=3),
        at_least=2,
    )
