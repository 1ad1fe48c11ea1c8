"""What an embedded emulator of this installation would be able to run, told without starting one."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from harness.emulator.emulator import Abilities

_TYPES = "localstack.cloudformation.resource_providers"
_OLDEST_NODE = 18


def abilities() -> Abilities:
    """Returns them. Without LocalStack among the packages its types of resources are not known: they are not checked then."""
    types = frozenset(point.name for point in entry_points(group=_TYPES))
    # pipeproof has a few of them too.
    return Abilities(f"python3.{sys.version_info.minor}", _node(), types if "AWS::S3::Bucket" in types else frozenset())


def attributes(kind: str) -> frozenset[str]:
    """Returns what Fn::GetAtt may have of a resource of this type, such as AWS::SQS::Queue, by LocalStack's schema; empty where there is none."""
    point = next((one for one in entry_points(group=_TYPES, name=kind)), None)
    if point is None or not point.module.startswith("localstack."):
        return frozenset()
    spec = importlib.util.find_spec(point.module)
    schema = Path(f"{str(spec.origin).removesuffix('_plugin.py')}.schema.json") if spec is not None else Path()
    if not schema.is_file():
        return frozenset()
    document = json.loads(schema.read_text("utf-8"))
    read_only = (path.removeprefix("/properties/").replace("/", ".") for path in document.get("readOnlyProperties", ()))
    return frozenset({*document["properties"], *read_only})


def _node() -> str | None:
    program = shutil.which("node")
    if program is None:
        return None
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.match(r"v(\d+)\.", told)
    return f"nodejs{version[1]}.x" if version and int(version[1]) >= _OLDEST_NODE else None
