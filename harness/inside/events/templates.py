"""Input transformers of targets: what is put in place of <name>.

LocalStack drops an event whose template has a number within a text, or whose values have quotes; 0 and false are nothing to it. Source:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import logging
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localstack.services.events.utils import event_time_to_time_string, to_json_str
from localstack.utils.json import extract_jsonpath

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"<([^<>]*)>")
_QUOTE = re.compile(r'(?<!\\)"')


def values(transformer: Mapping[str, Any], event: Any) -> dict[str, Any]:
    """Returns what the paths of a transformer find in an event; "" where one finds nothing."""
    found = {}
    for name, path in transformer.get("InputPathsMap", {}).items():
        if not name.startswith("aws."):
            value = extract_jsonpath(event, path)
            found[name] = "" if value is None or value == [] else value
    return found


def filled(template: str, replacements: Mapping[str, Any], *_: Any) -> Any:
    """Returns a template with its placeholders filled: a JSON value, or the text where the template is one."""
    is_json = template.strip().startswith("{")

    def value(found: re.Match[str]) -> str:
        of = replacements.get(found[1], "")
        if isinstance(of, datetime):
            of = event_time_to_time_string(of)
        text = of if isinstance(of, str) else to_json_str(of)
        if len(_QUOTE.findall(template, 0, found.start())) % 2 == 0:
            return json.dumps(of) if is_json and isinstance(of, str) else text
        # Within a text of JSON, an object has no quotes, and a text keeps its own.
        return json.dumps(text if isinstance(of, str) else text.replace('"', ""))[1:-1] if is_json else text

    made = _PLACEHOLDER.sub(value, template)
    if not is_json:
        return made.strip()[1:-1].replace("\\n", "\n")
    try:
        return json.loads(made)
    except ValueError:
        LOG.info("A template makes no JSON: %s", made)
        return None
