"""Bad input as one table of commands and the sentences that answer them; nothing is written."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

WHOLE, COUNT, NATURAL = "type a whole number", "type a whole number, 1 or more", ", 0 or more"
PRECISION = "type 32-true or bf16-mixed or 16-mixed or 32"
RATE = "type a number, 0 or more"
SEED = "type a whole number from 0 to 4294967295"
SHARE = "type a number from 0 to 1"
NAME = "type a name for a folder, of at most 100 characters"
LONG = "n" * 300

# For each command of a line: what it must answer, after "error: ".
TABLE = {
    "train": {
        # batch sizes, sizes and other whole numbers
        "data.batch_size=2.5": f"data.batch_size=2.5: {COUNT}",
        "data.batch_size=abc": f"data.batch_size=abc: {COUNT}",
        "data.batch_size=null": f"data.batch_size=null: {COUNT}",
        "data.batch_size=true": f"data.batch_size=true: {COUNT}",
        "data.batch_size=[1]": f"data.batch_size=[1]: {COUNT}",
        "data.batch_size=-3": f"data.batch_size=-3: {COUNT}",
        "data.batch_size=8)": f"data.batch_size=8): {COUNT}",
        "data.eval_batch_size=0": f"data.eval_batch_size=0: {COUNT}",
        "data.num_workers=-1": f"data.num_workers=-1: {WHOLE}{NATURAL}",
        "data.num_workers=two": f"data.num_workers=two: {WHOLE}{NATURAL}",
        "data.image_size=100000": "data.image_size=100000: type a whole number from 1 to 4096",
        "data.image_size=0": "data.image_size=0: type a whole number from 1 to 4096",
        "data.channels=2": "data.channels=2: type 1 (grey) or 3 (RGB)",
        "data.seed=abc": f"data.seed=abc: {SEED}",
        "data.patches=abc": "data.patches=abc: type a list of whole numbers, 1 or more",
        "data.patches=[1,2.5,3]": "data.patches=[1,2.5,3]: type a list of whole numbers, 1 or more",
        "data=folder data.root=x data.shares=abc": "data.shares=abc: type a list of numbers from",
        "data=folder data.root=x data.shares=[2]": "data.shares=[2]: type a list of numbers from",
        "data=folder data.root=x data.on_error=no": "data.on_error=no: type stop or skip",
        "data.train_holes=new": "data.train_holes=new: type dynamic or fixed",
        # seeds and names
        "seed=-1": f"seed=-1: {SEED}",
        "seed=abc": f"seed=abc: {SEED}",
        "seed=2**40": f"seed=2**40: {SEED}",
        "seed=1099511627776": f"seed=1099511627776: {SEED}",
        "seed=null": f"seed=null: {SEED}",
        "seed=0,1": "seed=0,1: type -m to run the command with each of these values, or seed=[0,1]",
        "name=null": f"name=null: {NAME}",
        "name=": f"name=: {NAME}",
        "name=../x": f"name=../x: {NAME}",
        f"name={LONG}": f"name={LONG}: {NAME}",
        "row=a/../../b": f"row=a/../../b: {NAME}",
        # rates, weights, shares
        "model.optimizer_completion.lr=nan": f"model.optimizer_completion.lr=nan: {RATE}",
        "model.optimizer_completion.lr=inf": f"model.optimizer_completion.lr=inf: {RATE}",
        "model.optimizer_completion.lr=-1": f"model.optimizer_completion.lr=-1: {RATE}",
        "model.optimizer_completion.lr=abc": f"model.optimizer_completion.lr=abc: {RATE}",
        "model.optimizer_completion.lr=null": f"model.optimizer_completion.lr=null: {RATE}",
        "+model.optimizer_joint.betas=[2,3]": "model.optimizer_joint.betas=[2,3]: type a list",
        "model.optimizer_joint=abc": "model.optimizer_joint=abc: type null",
        "model.mse_weight=-1": "model.mse_weight=-1: type a number, 0 or more",
        "model.mse_weight=inf": "model.mse_weight=inf: type a number, 0 or more",
        "model.local_share=2": f"model.local_share=2: {SHARE}",
        "model.phases=abc": "model.phases=abc: type a list of numbers from 0 to 1",
        "model.phase_stop=3": "model.phase_stop=3: type a list of numbers or null",
        "model.width=0": f"model.width=0: {COUNT}",
        "model.dilations=[0]": "model.dilations=[0]: type a list of whole numbers, 1 or more",
        "model.mask_channel=yes": "model.mask_channel=yes: type true or false",
        "model.phase_schedule=never": "model.phase_schedule=never: type epoch or training",
        "model.num_completions=0": f"model.num_completions=0: {COUNT}",
        "model.val_completions=-1": f"model.val_completions=-1: {WHOLE}{NATURAL}, or null",
        "mask=pixels mask.share=nan": "mask.share=nan: type a number or a list of numbers",
        "mask.min_side=abc": "mask.min_side=abc: type a number, 0 or more",
        "mask.aspect=abc": "mask.aspect=abc: type a number or a list of numbers or null",
        "mask.count=1.5": "mask.count=1.5: type a whole number or a list of whole numbers",
        "mask=strokes mask.bank_size=0": f"mask.bank_size=0: {COUNT}",
        # the trainer
        "trainer.max_epochs=1.5": f"trainer.max_epochs=1.5: {COUNT}",
        "trainer.max_epochs=abc": f"trainer.max_epochs=abc: {COUNT}",
        "trainer.max_epochs=0": f"trainer.max_epochs=0: {COUNT}",
        "trainer.max_epochs=-1": f"trainer.max_epochs=-1: {COUNT}",
        "trainer.max_epochs=null": f"trainer.max_epochs=null: {COUNT}",
        "trainer.accelerator=abc": "trainer.accelerator=abc: type auto or cpu or gpu or cuda",
        "trainer.strategy=abc": "trainer.strategy=abc: type auto, ddp_find_unused_parameters_true",
        "trainer.devices=2": "trainer.devices=2: several devices need a strategy that lets a phase",
        "trainer.precision=64-true": f"trainer.precision=64-true: {PRECISION}",
        "trainer.precision=bf16-true": f"trainer.precision=bf16-true: {PRECISION}",
        "trainer.precision=abc": f"trainer.precision=abc: {PRECISION}",
        "trainer.devices=-1 trainer=cpu": "trainer.devices=-1: a CPU counts its processes; type",
        "trainer.devices=[0] trainer=cpu": "trainer.devices=[0]: a CPU counts its processes; type",
        "trainer.devices=0 trainer=cpu": "trainer.devices=0: a CPU counts its processes; type",
        "trainer.max_time=abc": "trainer.max_time=abc: type days:hours:minutes:seconds, such as",
        "trainer.limit_train_batches=1.5": "trainer.limit_train_batches=1.5: type a whole number",
        "trainer.limit_train_batches=0": f"trainer.limit_train_batches=0: {COUNT}, or a number",
        "trainer.limit_test_batches=0.0": f"trainer.limit_test_batches=0.0: {COUNT}, or a number",
        "trainer.limit_val_batches=abc": "trainer.limit_val_batches=abc: type a whole number",
        "trainer.profiler=abc": "trainer.profiler=abc: type simple or advanced or pytorch or null",
        "trainer.log_every_n_steps=0": f"trainer.log_every_n_steps=0: {COUNT}",
        "trainer.num_nodes=none": f"trainer.num_nodes=none: {COUNT}",
        # flags and choices at the top
        "compile=abc": "compile=abc: type true or false",
        "shrink=1": "shrink=1: type true or false",
        "edit=null": "edit=null: type true or false",
        "budget=small": "budget",
        "matmul_precision=low": "matmul_precision=low: type highest or high or medium or null",
        "tests=abc": "tests=abc: type keys and values as {KEY:VALUE} or null",
        "logger=wandb logger.wandb.offline=abc": "logger.wandb.offline=abc: type true or false or",
        "callbacks.grids.count=abc": f"callbacks.grids.count=abc: {COUNT}",
        "metrics.reconstruction.local_share=2": f"metrics.reconstruction.local_share=2: {SHARE}",
        # references, groups, keys
        "data.image_size=${nope}": "data.image_size=${nope}: Interpolation key 'nope' not found",
        "data.image_size=${oc.env:NOPE}": "data.image_size=${oc.env:NOPE}: ",
        "data.image_size=${": "Error merging override",
        "data=null": "data=null: there is no such option; type one of celeba,",
        "model=": "model=: there is no such option; type one of ",
        "foo": "foo: there is no such option; type KEY=VALUE",
        "~model.width": "model.width is missing, which inpainting.methods.glcic.GLCIC takes",
        "~nope": "Could not delete from config. 'nope' does not exist",
        "+model.nope=3": "model.nope: there is no such key of inpainting.methods.glcic.GLCIC; l",
        "++model.widht=3": "model.widht: there is no such key of inpainting.methods.glcic.GLCIC;",
        "model._target_=torch.nope": "model._target_=torch.nope cannot be imported",
        "hydra.run.dir=": "hydra.run.dir is empty: type hydra.run.dir=FOLDER",
        "hydra.run.dir=null": "Error merging override hydra.run.dir=null",
        "hydra.nope=3": "Could not override 'hydra.nope'",
        "hydra/launcher=nope": "In 'hydra/config': Could not find 'hydra/launcher/nope'",
        # sweeps: every job, before the first
        "-m seed=0,abc": f"seed=abc: {SEED}",
        "-m data.batch_size=4,0.5": f"data.batch_size=0.5: {COUNT}",
        "sweep=glcic_table data.batch_size=0": f"data.batch_size=0: {COUNT}",
    },
    "evaluate": {
        "model=telea against=[[1]]": "against=[[1]]: type a list of text or text or null",
        "model=telea attributes=abc": "attributes=abc: type keys and values",
        "model=telea +attributes.smiling=2": "attributes={smiling:2}: type keys and values",
        "model=telea checkpoint=null": "checkpoint=null: type text",
        "model=telea model.radius=nan": "model.radius=nan: type a number above 0",
    },
    "predict": {
        "model=telea input=x masks=y overwrite=abc": "overwrite=abc: type true or false",
        "model=telea input=x masks=y out=null": "out=null: type the path of a folder that can be",
        "model=telea input=x masks=y out=photo.png": "out=photo.png: type the path of a folder",
        "model=telea input=x masks=y mask_hole=grey": "mask_hole=grey: type white or black",
        "model=telea input=[a,b] masks=y": "input=[a,b]: type text or null",
    },
    "train_classifier": {
        "metrics.label_agreement.classifier.lr=abc": "metrics.label_agreement.classifier.lr=abc",
        "metrics.label_agreement.classifier.epochs=-1": "metrics.label_agreement.classifier.ep",
    },
}


@pytest.mark.parametrize(
    ("entry", "typed", "sentence"),
    [(name, typed, text) for name, lines in TABLE.items() for typed, text in lines.items()],
    ids=lambda value: str(value)[:60],
)
def test_bad_input_is_answered_by_its_sentence_and_writes_nothing(
    failure, tmp_path: Path, entry: str, typed: str, sentence: str
) -> None:
    (tmp_path / "photo.png").touch()
    message = failure(entry, *typed.split())
    assert message.startswith(f"error: {sentence}"), message
    assert "\n" not in message and len(message) < 800
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"photo.png"}
