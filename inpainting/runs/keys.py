"""What can be typed for the keys at the top of a configuration, which no class takes."""

from typing import Any, Literal, TypedDict

from inpainting.values import FolderName, Natural, NewFolder, Seed, Share


class Keys(TypedDict, total=False):
    """The keys of train.yaml, evaluate.yaml and predict.yaml that hold values."""

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
    overwrite: bool
    small: dict[str, Any] | None
