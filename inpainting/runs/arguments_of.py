"""The arguments that a class or function takes, with their annotations and bounds."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from inpainting.values import Count, Duration, Natural, Part, Share, Weight

MODES = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class StrategyName:
    """The name of a strategy that Lightning knows."""

    def allow(self, value: str) -> bool:
        """Return True for the name of a strategy."""
        from lightning.pytorch.strategies import StrategyRegistry  # loaded with the trainer

        return value == "auto" or value in StrategyRegistry

    def __str__(self) -> str:
        return "auto, ddp_find_unused_parameters_true or another of Lightning's strategies"


# What the annotations of libraries leave open, by the start of their module and the argument.
FOREIGN: dict[str, dict[str, Any]] = {
    "torch.optim": {
        "lr": Weight,  # 0 leaves a network as it is
        "eps": Weight,
        "rho": Share,
        "alpha": Weight,
        "momentum": Weight,
        "weight_decay": Weight,
        "betas": tuple[Share, Share],
    },
    "lightning.pytorch.trainer": {
        "accelerator": Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"],
        "strategy": Annotated[str, StrategyName()],
        "num_nodes": Count,
        # Phases and learning rates depend on how much of the training is done.
        "max_epochs": Count,
        "min_epochs": Natural | None,
        "limit_train_batches": Count | Part,
        "limit_val_batches": Count | Part,
        "limit_test_batches": Count | Part,
        "overfit_batches": Natural | Share,
        "check_val_every_n_epoch": Count,
        "num_sanity_val_steps": int,
        "log_every_n_steps": Count,
        "max_time": Annotated[str, Duration()] | dict[str, int] | None,
        "profiler": Literal["simple", "advanced", "pytorch"] | None,
        # Weights of 16 bits lose the small steps of an optimiser and of a moving average.
        "precision": Literal["32-true", "bf16-mixed", "16-mixed", 32],
        "deterministic": bool | Literal["warn"] | None,
    },
}


@dataclass(frozen=True)
class Arguments:
    """What can be passed by name.

    Args:
        hints: the annotation of each argument
        required: arguments of its own, not of a base, without a default
        others: True if arguments of other names are taken too
    """

    hints: dict[str, Any]
    required: frozenset[str]
    others: bool


@cache
def arguments_of(target: Callable[..., Any]) -> Arguments:
    """Return the arguments of a class or function.

    What a class passes on to its bases by `**options` is read from these.
    """
    if not isinstance(target, type):
        return _bounded(target, [target])
    own = [vars(cls)["__init__"] for cls in target.__mro__[:-1] if "__init__" in vars(cls)]
    return _bounded(target, own)


def _bounded(target: Callable[..., Any], functions: list[Callable[..., Any]]) -> Arguments:
    hints: dict[str, Any] = {}
    required: set[str] = set()
    others = bool(functions)
    for function in functions:
        known = _hints(function)
        parameters = list(inspect.signature(function).parameters.values())
        for parameter in parameters[isinstance(target, type) :]:
            if parameter.kind in MODES and parameter.name not in hints:
                hints[parameter.name] = known.get(parameter.name, Any)
                # A base's may be passed by the class itself, under another name.
                if function is functions[0] and parameter.default is inspect.Parameter.empty:
                    required.add(parameter.name)
        others = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
        if not others:
            break
    for start, bounds in FOREIGN.items():
        if target.__module__.startswith(start):
            hints |= {name: hint for name, hint in bounds.items() if name in hints}
    return Arguments(hints, frozenset(required), others)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function, with their bounds."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # a name that is imported for type checkers only
        return {}
