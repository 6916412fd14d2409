"""Damage image files in every way and see that each ends as an output or one clear line.

    python -m tests.fuzz [--count 2000] [--seed 0] [FOLDER ...]

Pictures are made here, of every kind that is read; folders add others (those of installed packages
are a corpus). Every file goes through the real program, some at a time. What breaks the promise is
kept in the folder that is named at the end.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.images import deep, noise, png, saved, tiff

AT_ONCE = 50
SECONDS = 10  # that no file may take


def corpus() -> list[tuple[str, bytes]]:
    """Return files of every kind that is read."""
    picture, gray = noise(size=(61, 47)), noise("L", (61, 47))
    film = {"save_all": True, "append_images": [gray.convert("RGB"), picture], "duration": 40}
    exif = Image.Exif()
    exif[271], exif[274] = "a camera", 6
    found = [
        *[
            (f".{n.lower()}", saved(picture, n))
            for n in ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")
        ],
        *[(f".{n.lower()}", saved(picture, n, **film)) for n in ("PNG", "WEBP", "GIF", "TIFF")],
        *[
            (".tif", saved(picture, "TIFF", compression=c, exif=exif.tobytes() if not c else b""))
            for c in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
        ],
        (".jpg", saved(picture, "JPEG", exif=exif, progressive=True, dpi=(72, 72), comment=b"c")),
        (".jpg", saved(picture.convert("CMYK"), "JPEG")),
        (".png", saved(picture.quantize(20), "PNG", transparency=3)),
        (".png", saved(gray.convert("1"), "PNG")),
        (".png", png(16, 2, deep(3))),
        (".png", png(16, 6, deep(4))),
        (".png", png(16, 0, deep(1)[:, :, 0])),
        (".tif", tiff(16, 1, deep(3))),
        (".tif", tiff(32, 3, deep(3).astype("f4"))),
        (".pgm", b"P5 7 5 65535\n" + deep(1).astype(">u2").tobytes()),
        (".pfm", b"Pf 7 5 -1.0\n" + np.ones((5, 7), "<f4").tobytes()),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tiled.tif")
        array = np.repeat(deep(3), 12, axis=0)
        tifffile.imwrite(path, array, photometric="rgb", tile=(16, 16), compression="lzw")
        found.append((".tif", path.read_bytes()))
    return found


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return a file after one to four accidents."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found)) if found else 0
        near = chance.randrange(min(len(found), 200)) if found else 0  # headers tell most
        match chance.randrange(8):
            case 0:
                del found[at:]
            case 1:
                del found[near : near + chance.randint(1, 20)]
            case 2:
                found[at:at] = chance.randbytes(chance.randint(1, 20))
            case 3 | 4 if found:
                found[near] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            case 5 if found:
                found[at] ^= 1 << chance.randrange(8)
            case 6:
                size = chance.choice((2, 4))
                found[near : near + size] = chance.choice((b"\xff", b"\0", b"\x7f")) * size
            case 7:
                found += found[near:at]
    return bytes(found)


def broken_promises(paths: list[Path], out: Path) -> list[str]:
    """Run the program over files; return what it did that it must not."""
    command = [sys.executable, "-m", "imgconv", "apply", *map(str, paths), "-k", "sharpen"]
    command += ["-o", f"{out}/{{name}}.{{index}}.tif", "--json", "--max-pixels", "20000000"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS * 3, check=False)
    except subprocess.TimeoutExpired:
        return [f"more than {SECONDS * 3} s for {len(paths)} files"]
    faults = []
    if done.returncode not in (0, 1):
        faults.append(f"exit {done.returncode}")
    if b"Traceback" in done.stderr or b"please report" in done.stderr:
        faults.append(done.stderr.decode(errors="replace")[-600:])
    told = [json.loads(line) for line in done.stdout.splitlines()]
    if len(told) != len(paths):
        faults.append(f"{len(told)} outcomes of {len(paths)} files")
    for outcome in told:
        exists = Path(outcome["output"]).exists()
        if (outcome["status"] == "ok") != exists:
            faults.append(f"{outcome['status']}, but output {'exists' if exists else 'missing'}")
        if (outcome["status"] == "failed") != bool(outcome["error"]):
            faults.append(f"{outcome['status']} with error {outcome['error']!r}")
        if outcome["seconds"] > SECONDS:
            faults.append(f"{outcome['seconds']} s for {outcome['input']}")
    lines = done.stderr.decode(errors="replace").splitlines()
    errors = [line for line in lines if ": note: " not in line][: -1 if len(paths) > 1 else None]
    failures = sum(outcome["status"] == "failed" for outcome in told)
    if len(errors) != failures or not all(line.startswith("imgconv: ") for line in lines):
        faults.append(f"{failures} failures, {len(errors)} lines: {errors[:3]}")
    return faults


def main() -> int:
    """Make, damage, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    whole = corpus()
    for folder in options.folders:
        whole += [
            (p.suffix, p.read_bytes()) for p in sorted(folder.rglob("*"))
            if p.is_file() and p.stat().st_size < 3_000_000
        ]  # fmt: skip
    files = whole + [
        (suffix, damaged(data, chance)) for suffix, data in chance.choices(whole, k=options.count)
    ]
    work = Path(tempfile.mkdtemp(prefix="imgconv-fuzz-"))
    failed = 0
    for start in range(0, len(files), AT_ONCE):
        paths = []
        for i, (suffix, data) in enumerate(files[start : start + AT_ONCE], start):
            path = work / f"{i}{suffix}"
            path.write_bytes(data)
            paths.append(path)
        faults = broken_promises(paths, work / "out")
        if not faults:
            for path in paths:
                path.unlink()
            continue
        for path in paths:
            alone = broken_promises([path], work / "alone")
            failed += bool(alone)
            if alone:
                print(f"{path}: {'; '.join(alone)}")
            else:
                path.unlink()
        failed += 1
        print(f"files {start} to {start + len(paths) - 1}: {'; '.join(faults)}", flush=True)
    print(f"{len(files)} files, {failed} broken promises; {work}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
