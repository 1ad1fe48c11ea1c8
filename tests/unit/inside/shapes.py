"""Values of the shapes that describe a service."""

from __future__ import annotations

import datetime as dt

from hypothesis import strategies as st


def values(shape, depth=0):
    """Returns values of a shape, with None where something has none."""
    match shape.type_name:
        case "structure":
            # A value of DynamoDB may have values.
            deeper = shape.members if depth < 3 else {}
            return st.fixed_dictionaries(
                {}, optional={name: st.none() | values(member, depth + 1) for name, member in deeper.items()}
            )
        case "list":
            return st.lists(st.none() | values(shape.member, depth + 1), max_size=3)
        case "map":
            return st.dictionaries(st.text(max_size=5), values(shape.value, depth + 1), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            return st.integers(0, 10**12)
        case "timestamp":
            return st.integers(0, 4 * 10**9).map(lambda seconds: dt.datetime.fromtimestamp(seconds / 4, dt.UTC))
        case "blob":
            return st.binary(max_size=10)
    return st.text(max_size=10)
