"""Ways to spoil bytes and texts, drawn by a seed."""

from __future__ import annotations

import re

_TOKENS = [
    ".inf", "-.inf", ".nan", "1e999", str(10**30), "-1", "0", "9" * 5000, "0x", "0b1", "1:2:3", "~", "null", "true", "[]", "{}", "''", '""', "!!timestamp x",
    "!!int x", "!!binary x", "!!set {a}", "!!omap x", "!!bool x", "!!python/object:os.system x", "!x y", "&a [*a]", "*nowhere", "<<: *a", "2026-02-30",
    "9999-12-31T23:59:59-23:59", "0001-01-01", "\\0", "\ud7ff\ue000", "💥", "a" * 70_000, "../../../etc/passwd", "/dev/zero", "${outputs.X}", "${", "{{ 1/0 }}",
    "{{ x", "%s%n", "[" * 200, "{" * 200, "- " * 200, "\t", ":", "#", "---", "...", "|", ">", "? a", "@", "`", '"\\ud800"', '"\\u0000"',
]  # fmt: skip
_BYTES = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"\n",
    b'"',
    b"'",
    b",",
    b"{",
    b"[",
    b"\x1b[2J",
    b"\x80" * 50,
    b"9" * 5000,
    b'"' * 3,
]


def of_bytes(rng, content, times=4):
    """Some bytes changed, taken out, doubled, or put in."""
    spoilt = bytearray(content)
    for _ in range(rng.randint(1, times)):
        at = rng.randrange(len(spoilt) + 1)
        match rng.randrange(6):
            case 0 if at < len(spoilt):
                spoilt[at] = rng.randrange(256)
            case 1:
                del spoilt[at : at + rng.choice([1, 2, 10, 100, 10_000])]
            case 2:
                spoilt[at:at] = rng.choice(_BYTES)
            case 3:
                spoilt[at:at] = spoilt[at : at + rng.choice([1, 10, 1000])]
            case 4:
                spoilt[at:at] = rng.randbytes(rng.choice([1, 4, 100]))
            case 5:
                del spoilt[at:]
    return bytes(spoilt)


def of_text(rng, text, times=4):
    """Some lines or words changed, taken out, doubled, indented otherwise, or replaced by what a parser may choke on."""
    for _ in range(rng.randint(1, times)):
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        match rng.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines[at:at] = lines[at : at + rng.choice([1, 1, 5])] * rng.choice([1, 2, 50])
            case 2:
                lines[at] = re.sub(r":.*", lambda _: f": {rng.choice(_TOKENS)}", lines[at], count=1)
            case 3:
                words = re.split(r"(\W+)", lines[at])
                words[rng.randrange(len(words))] = rng.choice(_TOKENS)
                lines[at] = "".join(words)
            case 4:
                lines[at] = " " * rng.randrange(9) + lines[at].lstrip()
            case 5:
                lines[at:at] = [f"{rng.choice(['a', 'source', 'x y', '1', ''])}: {rng.choice(_TOKENS)}"]
            case 6:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 7:
                return of_bytes(rng, text.encode(errors="replace")).decode(errors="replace")
        text = "\n".join(lines)
    return text


def of_document(rng, value, depth=0):
    """A JSON document in which one part is another type, is missing, or is nested."""
    strange = [None, True, -1, 10**30, 1e308, "", "x" * 10_000, [], {}, [[]], {"": {}}, "../x", "\ud800", "\0"]
    if depth > 6 or rng.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return rng.choice(strange)
    if isinstance(value, dict):
        key = rng.choice(list(value))
        match rng.randrange(4):
            case 0:
                return {name: one for name, one in value.items() if name != key}
            case 1:
                return {**value, str(rng.choice(strange)): rng.choice(strange)}
            case _:
                return {**value, key: of_document(rng, value[key], depth + 1)}
    at = rng.randrange(len(value))
    return [*value[:at], of_document(rng, value[at], depth + 1), *value[at + 1 :]]
