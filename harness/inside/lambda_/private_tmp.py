"""Gives each execution environment its own /tmp, where the machine allows it: in a mount namespace, without any privilege if
user namespaces are allowed. Elsewhere (most containers, macOS) TMPDIR points to a directory of the environment's own, and the
literal path /tmp is shared.

The layers of a function are at /opt in the same way. Elsewhere their programs and packages are found by PATH and PYTHONPATH.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = logging.getLogger(__name__)

_TMP = Path("/tmp")  # noqa: S108 - the path that is about
_OPT = Path("/opt")
# $1 is the new /tmp, $2 the new /opt or empty, $3 the number of paths that follow; each of these stays visible, as it lies below the old /tmp.
_ENTER = """
tmp=$1 opt=$2 count=$3; shift 3
if [ -n "$opt" ]; then mount --rbind "$opt" /opt || exit 125; fi
while [ "$count" -gt 0 ]; do mount --rbind "$1" "$tmp${1#/tmp}" || exit 125; shift; count=$((count - 1)); done
mount --rbind "$tmp" /tmp && exec "$@"
exit 125
"""


def command_with_private_tmp(
    command: Sequence[str], tmp: Path, visible: Sequence[Path], opt: Path | None = None
) -> list[str] | None:
    """Returns the command, to run with `tmp` in the place of /tmp, `opt` in that of /opt, and the paths in `visible` where they are. None where
    that is not possible. /opt stays as it is where something in `visible` lies below it, such as the interpreter."""
    if not _possible():
        return None
    below = sorted({str(path) for path in visible if path.is_relative_to(_TMP)})
    for path in below:
        (tmp / Path(path).relative_to(_TMP)).mkdir(parents=True, exist_ok=True)
    is_free = _OPT.is_dir() and not any(path.is_relative_to(_OPT) for path in visible)
    mounted = str(opt) if opt is not None and is_free else ""
    return [*_unshare(), "/bin/sh", "-c", _ENTER, "sh", str(tmp), mounted, str(len(below)), *below, *command]


def _unshare() -> list[str]:
    if os.geteuid() == 0:
        return ["unshare", "--mount"]
    return ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]


@functools.cache
def _possible() -> bool:
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="private-tmp-") as scratch:
        command = [*_unshare(), "/bin/sh", "-c", _ENTER, "sh", scratch, "", "0", "true"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        LOG.warning("Execution environments share the literal path /tmp: no mount namespace (%s)", tried.stderr.strip())
    return tried.returncode == 0
