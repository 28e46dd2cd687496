"""What can be typed for the keys at the top of a configuration, which no class takes."""

from typing import Annotated, Any, Literal, TypedDict

from inpainting.values import Bounds, Count, FolderName, Natural, NewFolder, Positive, Seed, Share


class Keys(TypedDict, total=False):
    """The keys of train.yaml, evaluate.yaml, predict.yaml and prepare.yaml that hold values."""

    monitor: str | None
    name: FolderName
    seed: Seed
    eval_mask_seed: Natural
    budget: Literal["laptop", "full"]
    shrink: bool
    compile: bool
    channels_last: bool
    matmul_precision: Literal["highest", "high", "medium"] | None
    resume: str | None
    init_from: str | None
    tests: dict[str, list[str] | str | None] | None
    edit: bool
    row: FolderName | None
    compared_with: str | None
    retry_failed: bool
    against: list[str] | str | None
    trust: bool
    run: str | None
    attributes: dict[str, Share]
    checkpoint: str
    input: str | None
    masks: str | None
    mask_hole: Literal["white", "black"]
    out: NewFolder
    mask_threshold: Share | None
    dilate: Natural
    feather: Natural
    blend: Literal["paste", "poisson"]
    samples: Count | None
    skip: bool
    overwrite: bool
    holes_of: str | None
    work: NewFolder
    workers: Natural | None
    near_duplicates: Annotated[int, Bounds(0, 256)] | None
    local_share: Annotated[float, Bounds(0, 1, open_below=True)]
    max_file_bytes: Positive | None
    small: dict[str, Any] | None


class KeysOfPredict(Keys, total=False):
    """The keys of predict.yaml, whose seed is not that of a training."""

    seed: Seed | None  # null: model.completion_seed
