"""`imgconv learn`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from imgconv.cli.terminal import failed
from imgconv.errors import ImgconvError, OptionError
from imgconv.light import Path
from imgconv.runs.report import say

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

    from imgconv.cli import options


def learn(
    before: options.Before,
    after: options.After,
    size: options.LearnedSize = "3",
    bias: options.LearnedBias = False,
    method: options.Method = "lstsq",
    lr: options.Rate = None,
    epochs: options.Epochs = 10,
    seed: options.Seed = 0,
    output: options.LearnedKernel = None,
    force: options.Force = False,
    as_json: options.JsonObject = False,
) -> int:
    """Find the kernel that makes one picture of another.

    One kernel for all channels, from the pixels whose neighbours are all inside; samples that may
    have been clipped are left out.
    """
    import json

    from imgconv.kernels.catalog import open_catalog
    from imgconv.kernels.dialects.toml_json import toml
    from imgconv.pictures import files
    from imgconv.pictures.formats import listed
    from imgconv.teach import learn

    if method not in ("lstsq", "sgd"):
        raise OptionError(f"no method {method!r}; choose from lstsq, sgd")
    sides = learn.size_of(size)
    kernels = (entry.kernel for entry in open_catalog().values())
    known = {k.name: k.array / k.divisor for k in kernels if len(k.shape) == 2}

    def between(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> learn.Learned:
        equations = learn.sums(first, second, sides, bias=bias)
        if method == "sgd":
            found = learn.descend(
                equations, lr=lr, epochs=epochs, seed=seed,
                tell=lambda epoch, loss: say(f"epoch {epoch}, loss {loss:.4g}"),
            )  # fmt: skip
        else:
            found = learn.solve(equations)
        judge = functools.partial(
            learn.judge, equations, size=sides, bias=bias, whole=second.dtype.kind == "u",
            known=known,
        )  # fmt: skip
        learned = judge(found)
        if method == "sgd" and not learned.explains and judge(learn.solve(equations)).explains:
            return learn.unfinished(learned, epochs)
        return learned

    formats = listed(None)
    target = Path(output) if output else None
    try:
        first, second = _samples(before, formats), _samples(after, formats)
        found = [between(first, second)]
        if not found[0].explains and method == "lstsq" and first.shape[2] > 1:
            each = [between(first[:, :, [i]], second[:, :, [i]]) for i in range(first.shape[2])]
            found = each if all(one.explains for one in each) else found
        if target and not force:
            files.refuse_existing(target)
    except Exception as error:
        return failed(error)
    names = ["learned"] if len(found) == 1 else [f"channel-{i}" for i in range(len(found))]
    text = "\n\n".join(
        toml(one.kernel()._replace(name=one.name or name))
        for one, name in zip(found, names, strict=True)
    )
    if target:
        try:
            files.write(f"{text}\n".encode(), target, force=force)
        except Exception as error:
            return failed(error)
    if as_json:
        told = [learn.as_json(one) for one in found]
        print(json.dumps(told[0] if len(told) == 1 else told))
        return 0
    for one, name in zip(found, names, strict=True):
        prefix = f"{name}: " * (len(found) > 1)
        say(f"{prefix}{one.verdict} (residual {one.residual:.3g})")
    if not target:
        print(text)
    return 0


def _samples(source: str, formats: tuple[str, ...]) -> npt.NDArray[Any]:
    """The colours of a picture's only frame, or of an array."""
    from imgconv.pictures import decode, files
    from imgconv.pictures.picture import Reading

    try:
        picture = decode.read(files.read(source), Reading(formats=formats))
    except ImgconvError as error:
        raise ImgconvError(f"{source}: {error}") from None
    if len(picture.frames) > 1:
        raise ImgconvError(f"{source}: has {len(picture.frames)} frames; name a picture of one")
    (frame,) = picture.frames
    return frame.array()[:, :, : len(frame.names.removesuffix("a"))]
