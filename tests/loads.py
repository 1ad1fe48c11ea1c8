"""The sample's loads, opened as the engine opens them."""

from __future__ import annotations

from pathlib import Path

from harness.emulator.clients import Clients
from harness.parts import registry
from harness.parts.ports import Context, SourceContext
from harness.parts.units import records

PIPELINES = Path(__file__).parents[1] / "pipeline"
CLASSES = {"orders": "Orders", "students": "Students", "records": "Records", "logs": "Logs", "approvals": "PriceLists"}


def module(system):
    """The load.py of a system."""
    return registry.load_module(PIPELINES / system / "load.py")


def files(system, seed, count, *, number=1, share=0.0, kinds=None, file_faults=()):
    """`count` records in `number` files, of which a share is spoilt."""
    source = registry.load(registry.SOURCE, f"load.py:{CLASSES[system]}", PIPELINES / system)
    malformed = {"malformed": {"share": share, **({"kinds": kinds} if kinds else {})}} if share else {}
    keys = {"records": count, "files": number, "file_faults": file_faults, **malformed}
    return source.model_validate(keys).open(SourceContext(seed))


def body(load):
    """The bytes of a load's only file."""
    (file,) = load.units()
    return b"".join(file.parts())


def flat(load):
    """All records of a load."""
    return list(records(load.units()))


def context(clients=None, run_dir=Path(), *, outputs=None, allow_remote=False):
    """What a part is opened with."""
    return Context(clients or Clients("http://127.0.0.1:1"), outputs or {}, run_dir, lambda: None, allow_remote)
