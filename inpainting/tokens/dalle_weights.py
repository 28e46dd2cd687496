"""OpenAI's weights of the DALL-E tokenizer: fetched, opened safely, and kept as safetensors."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from safetensors.torch import load_file, save
from torch import Tensor, nn

from inpainting.atomic import replacing
from inpainting.errors import InputError
from inpainting.tokens.dalle import DalleTokenizer

ADDRESS = "https://cdn.openai.com/dall-e/{part}.pkl"
PARTS = ("encoder", "decoder")

log = logging.getLogger(__name__)


def dalle_weights(
    tokenizer: DalleTokenizer,
    data: Any,
    *,
    cache: str | Path,
    encoder: str | None,
    decoder: str | None,
    download: bool,
    sha256: dict[str, str | None],
) -> dict[str, Any]:
    """Give the tokenizer OpenAI's weights.

    The two files are pickles of whole modules. They are opened by torch's restricted unpickler,
    which knows the package's classes and tensors alone, once; then the cache has their tensors.

    Args:
        tokenizer: takes the weights
        data: not used
        cache: a folder; its `dalle` keeps what is fetched and converted
        encoder: path of encoder.pkl; None takes the one in the cache, or fetches it
        decoder: path of decoder.pkl, likewise
        download: fetch what is missing
        sha256: the checksum that each file must have, by "encoder" and "decoder"; None accepts any

    Returns:
        the checksums of both files

    Raises:
        InputError: a file is missing and cannot be fetched, has another checksum, or is not what
            the package writes.
    """
    folder = Path(cache).expanduser() / "dalle"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for part, path in zip(PARTS, (encoder, decoder), strict=True):
        with FileLock(folder / f"{part}.lock"):
            file = Path(path).expanduser() if path else _fetched(part, folder, download)
            found[part] = _checksum(file, part, sha256.get(part))
            converted = folder / f"{part}-{found[part][:16]}.safetensors"
            if not converted.is_file():
                with replacing(converted, "wb") as opened:
                    opened.write(save(_tensors(file, part)))
        _take(getattr(tokenizer, part), load_file(converted), file)
    return {f"tokenizer_{part}_sha256": digest for part, digest in found.items()}


def _fetched(part: str, folder: Path, download: bool) -> Path:
    file, address = folder / f"{part}.pkl", ADDRESS.format(part=part)
    if file.is_file():
        return file
    by_hand = (
        f"put {ADDRESS.format(part='encoder')} and {ADDRESS.format(part='decoder')} into {folder}, "
        "or type tokenizer.weights.encoder=PATH tokenizer.weights.decoder=PATH"
    )
    if not download:
        raise InputError(f"{file} is missing: {by_hand}, or tokenizer.weights.download=true")
    log.info("fetching %s", address)
    try:
        torch.hub.download_url_to_file(address, str(file))
    except OSError as error:
        raise InputError(f"{address} cannot be fetched ({error}): {by_hand}") from error
    return file


def _checksum(file: Path, part: str, wanted: str | None) -> str:
    if not file.is_file():
        raise InputError(f"tokenizer.weights.{part}={file}: there is no such file; type its path")
    with open(file, "rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    log.info("%s has the sha256 %s", file, digest)
    if wanted and digest != wanted:
        raise InputError(
            f"{file} has the sha256 {digest}, not tokenizer.weights.sha256.{part}={wanted}: fetch "
            "it again, or correct the checksum if you trust the file"
        )
    return digest


def _known_classes() -> list[type]:
    """Return all classes that the pickled modules consist of, besides tensors."""
    import dall_e.decoder
    import dall_e.encoder
    import dall_e.utils

    own = [dall_e.encoder.Encoder, dall_e.encoder.EncoderBlock, dall_e.utils.Conv2d]
    own += [dall_e.decoder.Decoder, dall_e.decoder.DecoderBlock]
    return [*own, nn.Sequential, nn.ReLU, nn.MaxPool2d, nn.Upsample, nn.Identity]


def _tensors(file: Path, part: str) -> dict[str, Tensor]:
    """Return the tensors of a pickled module, without running anything that the file says."""
    try:
        with torch.serialization.safe_globals(_known_classes()):
            module = torch.load(file, map_location="cpu", weights_only=True)
        return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file} is not the DALL-E package's {part} ({type(error).__name__}: {reason}); fetch "
            f"{ADDRESS.format(part=part)} again"
        ) from error


def _take(network: nn.Module, state: dict[str, Tensor], file: Path) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(
            f"{file} belongs to a network of another size: type tokenizer=dalle without sizes"
        ) from error
