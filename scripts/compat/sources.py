"""Get the source of a library with its tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from libraries import ROOT, Library

CACHE = ROOT / ".cache" / "compat"


def source(library: Library) -> Path:
    """Return the directory of the library's source. Downloads it only once."""
    directory = CACHE / f"{library.distribution}-{library.version}"
    if not directory.exists():
        partial = directory.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if library.repository:
            check_out(library, partial)
        else:
            unpack(library, partial)
        for name in library.remove:
            shutil.rmtree(partial / name)
        partial.rename(directory)
    return directory


def check_out(library: Library, into: Path) -> None:
    """Fetch one commit. Its id is a hash of the files, so git verifies them."""
    commit = library.commits[library.version]
    git = ["git", "-C", str(into)]
    fetch = ["fetch", "--quiet", "--depth", "1", library.repository, commit]
    for command in (["init", "--quiet"], fetch, ["checkout", "--quiet", "FETCH_HEAD"]):
        subprocess.run([*git, *command], check=True)


def unpack(library: Library, into: Path) -> None:
    """Download the source distribution, whose hash is in the lock, and unpack it."""
    requirement = into / "requirement.txt"
    requirement.write_text(library.locked)
    pip = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps"]
    options = ["--no-binary", library.distribution, "--require-hashes", "--dest"]
    subprocess.run([*pip, *options, into, "-r", requirement], check=True)
    (downloaded,) = into.glob("*.tar.gz")
    with tarfile.open(downloaded) as archive:
        archive.extractall(into, filter="data")
    (unpacked,) = (path for path in into.iterdir() if path.is_dir())
    for path in unpacked.iterdir():
        path.rename(into / path.name)
    unpacked.rmdir()
