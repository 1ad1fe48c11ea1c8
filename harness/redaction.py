"""Hides what looks like a credential in text that goes into logs and reports: a function may log what it was given."""

from __future__ import annotations

import re

_HIDDEN = "[redacted]"

# What names a secret, and its value: in JSON, as `name=value`, as a header.
_NAMED = re.compile(
    r"""((?:^|[^A-Za-z0-9])["']?[A-Za-z0-9_.-]*(?:password|passwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?["']?"""
    r"""\s*[:=]\s*["']?)(?!\[redacted\])([^\s"',;&}\])]{6,})""",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(r"""(authorization["']?\s*[:=]\s*["']?)(?!\[redacted\])([^\s"',}][^"'\r\n,}]{5,})""", re.IGNORECASE)
# What is one by its form: keys of AWS, GitHub, Slack and Stripe, a signed token, a private key.
_FORMS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{30,}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*",
    re.DOTALL,
)


def redacted(text: str) -> str:
    """Returns the text with `[redacted]` in the place of values that look like credentials. Twice is as good as once."""
    text = _AUTHORIZATION.sub(rf"\1{_HIDDEN}", text)
    text = _NAMED.sub(rf"\1{_HIDDEN}", text)
    return _FORMS.sub(_HIDDEN, text)
