"""Hides what looks like a credential in text that goes into logs and reports: a function may log what it was given.

All patterns begin with a fixed word, so that the time is linear in the text."""

from __future__ import annotations

import re

_HIDDEN = "[redacted]"

# What names a secret. A token that tells where a listing goes on, or how much a model may say, is none.
_NAME = (
    r"(?:passwords?|passwd|passphrase|pwd(?!=/)|(?:db|user|root|admin|smtp|redis|pg|mysql)[_-]?pass|(?:secret|api|access|private)[_-]?keys?|secrets?|credentials?"
    r"|(?<!next)(?<!next_)(?<!page)(?<!page_)(?<!max_)(?<!sequence)(?<!sequence_)(?<!continuation)(?<!continuation_)token)"
)
# In JSON, also within JSON: all up to the closing quote.
_QUOTED = re.compile(
    rf"""({_NAME}\\*["']?\s{{0,8}}[:=]\s{{0,8}}\[?\s{{0,8}}\\*["'])(?!\[redacted\])[^"'\\\r\n]{{3,}}""", re.IGNORECASE
)
_ASSIGNED = re.compile(rf"""({_NAME}=)(?!\[redacted\])[^\s"',;&}}\])\\]{{3,}}""", re.IGNORECASE)
_IN_A_URL = re.compile(r"(://[^\s/:@\"']{1,200}:)(?!\[redacted\]|\d{1,5}[,/?#\s])[^\s/@\"']{1,200}(?=@)")
_OF_A_LINK = re.compile(r"(X-Amz-(?:Signature|Security-Token)=)(?!\[redacted\])[^\s&\"']+", re.IGNORECASE)
_COOKIE = re.compile(
    r"""(\bcookie\\*["']?\s{0,8}[:=]\s{0,8}\\*["']?)(?!\[redacted\])[\w.-]{1,100}=[^"'\r\n,}\\]{2,}""", re.IGNORECASE
)
# After a colon there may be a sentence: a value has a digit in it, or is long.
_AFTER_COLON = re.compile(
    rf"""({_NAME}\\*["']?\s{{0,8}}[:=]\s{{0,8}})(?!\[redacted\])(?:(?=[^\s"',;&}}\])\\]{{0,100}}\d)[^\s"',;&}}\])\\]{{6,}}|[^\s"',;&}}\])\\]{{16,}})""",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"""(authorization\\*["']?\s{0,8}[:=]\s{0,8}\\*["']?)(?!\[redacted\])[^\s"',}\\][^"'\r\n,}\\]{5,}""", re.IGNORECASE
)
# What is one by its form: keys of AWS, GitHub, Slack and Stripe, a signed token, a private key.
_FORMS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{30,}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]*"
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bsk-(?:proj-)?[A-Za-z0-9]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bnpm_[A-Za-z0-9]{30,}|(?<=Basic )(?=[A-Za-z+/]*[0-9=])[A-Za-z0-9+/]{12,}=*"
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{16,}=*",
    re.DOTALL,
)

# One of the words, in small letters, is in each text in which the pattern finds something. Most texts have none, and words are found sooner than patterns.
_OF_NAMES = (
    "pass", "pwd", "secret", "credential", "token", "apikey", "api_key", "api-key", "accesskey", "access_key", "access-key", "privatekey", "private_key",
    "private-key",
)  # fmt: skip
_PATTERNS = (
    (_AUTHORIZATION, ("authorization",)),
    (_COOKIE, ("cookie",)),
    (_IN_A_URL, ("://",)),
    (_OF_A_LINK, ("x-amz-",)),
    (_QUOTED, _OF_NAMES),
    (_ASSIGNED, _OF_NAMES),
    (_AFTER_COLON, _OF_NAMES),
)


def redacted(text: str) -> str:
    """Returns the text with `[redacted]` in the place of values that look like credentials. Twice is as good as once."""
    small = text.lower()
    for pattern, words in _PATTERNS:
        # Outside ASCII there are characters that a pattern takes for the letters of a word.
        if not text.isascii() or any(word in small for word in words):
            text = pattern.sub(rf"\1{_HIDDEN}", text)
    return _FORMS.sub(_HIDDEN, text)
