"""Deployment packages from text."""

from __future__ import annotations

import io
import zipfile


def zipped(contents):
    """A zip with these files, all of them executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in contents.items():
            info = zipfile.ZipInfo(path)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
    return buffer.getvalue()
