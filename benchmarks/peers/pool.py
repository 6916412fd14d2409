"""The work of a peer on a folder, in two processes: its file, folder, output folder.

One picture at a time is handed out: the usual chunks leave one process waiting for the other.
"""

import multiprocessing
import os
import sys
from importlib import import_module
from pathlib import Path

# One thread in each process; OpenCV and libvips ask their environment when they are loaded.
os.environ.update(OPENCV_FOR_THREADS_NUM="1", VIPS_CONCURRENCY="1")
_, peer, source, target = sys.argv
work = import_module(Path(peer).stem).work

if __name__ == "__main__":
    pairs = [(str(path), str(Path(target, path.name))) for path in Path(source).glob("*.jpg")]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(work, sorted(pairs), chunksize=1)
