"""Gives each execution environment its own /tmp, where the machine allows it: in a mount namespace, without any privilege if
user namespaces are allowed. Elsewhere (most containers, macOS) TMPDIR points to a directory of the environment's own, and the
literal path /tmp is shared.

The layers of a function are at /opt in the same way. Elsewhere their programs and packages are found by PATH and PYTHONPATH.

Where there are mount namespaces, code and layers cannot be written to, as on AWS. Elsewhere, and where a kernel allows mounts but not that, they can: modes of files would
stop it too, but copies of the files would have them.
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
# $1 is the new /tmp, $2 the new /opt or empty, $3 the directory to be in, $4 the number of pairs that follow: ro or rw, and a path. What lies below the old
# /tmp comes below the new one, so that it stays visible. No variable of a function begins with an underscore.
_ENTER = """
_tmp=$1 _opt=$2 _in=$3 _count=$4; shift 4
show() {
  mount --rbind "$2" "$3" || exit 125
  if [ "$1" = ro ]; then mount --options remount,bind,ro "$3" 2>/dev/null; fi
}
if [ -n "$_opt" ]; then show ro "$_opt" /opt; fi
while [ "$_count" -gt 0 ]; do
  case $2 in /tmp/*) show "$1" "$2" "$_tmp${2#/tmp}";; *) show "$1" "$2" "$2";; esac
  shift 2; _count=$((_count - 1))
done
mount --rbind "$_tmp" /tmp && cd "$_in" && unset PWD OLDPWD && exec "$@"
exit 125
"""


def command_with_private_tmp(
    command: Sequence[str], tmp: Path, code: Path, visible: Sequence[Path], opt: Path | None = None
) -> list[str] | None:
    """Returns the command, to run in `code` with `tmp` in the place of /tmp, `opt` in that of /opt, and the paths in `visible` where they are. None where
    that is not possible. /opt stays as it is where something in `visible` lies below it, such as the interpreter."""
    if not mounts():
        return None
    below = {path for path in (code, *visible) if path.is_relative_to(_TMP)}
    for path in below:
        (tmp / path.relative_to(_TMP)).mkdir(parents=True, exist_ok=True)
    is_free = _OPT.is_dir() and not any(path.is_relative_to(_OPT) for path in (code, *visible))
    mounted = str(opt) if opt is not None and is_free else ""
    # What is saved in place may lie around the new /tmp, which must be written to.
    sealed = {path for path in (code, opt) if path is not None and not tmp.is_relative_to(path)}
    shown = [word for path in sorted({code, *below, *sealed}) for word in ("ro" if path in sealed else "rw", str(path))]
    return [*_unshare(), "/bin/sh", "-c", _ENTER, "sh", str(tmp), mounted, str(code), str(len(shown) // 2), *shown, *command]


def _unshare() -> list[str]:
    if os.geteuid() == 0:
        return ["unshare", "--mount"]
    return ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]


@functools.cache
def mounts() -> bool:
    """Returns whether this machine lets a function's process make mounts that no other process sees."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="private-tmp-") as scratch:
        command = [*_unshare(), "/bin/sh", "-c", _ENTER, "sh", scratch, "", "/", "0", "true"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        LOG.warning("Execution environments share the literal path /tmp: no mount namespace (%s)", tried.stderr.strip())
    return tried.returncode == 0
