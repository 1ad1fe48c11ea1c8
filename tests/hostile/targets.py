"""What is attacked, and how: each target makes a case of a seed, and raises what is wrong with the answer to it.

A refusal is a UsageError (or the error that the library's caller is promised); everything else that is raised is a defect."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import stat
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.inside.lambda_.archive import BadArchiveError, unpack, verify
from harness.parts.ports import SourceContext
from harness.parts.sources.file import RecordedFile
from harness.parts.sources.upload import Upload
from harness.report.way import told
from harness.run.defects import load_defects
from harness.run.recipe import make_recipe, open_load
from harness.run.replay import recall
from harness.run.reproduced import compare
from harness.scenario.catalogue import BUILT_IN, description
from harness.scenario.loading import load_scenario
from harness.stack.template import load_template
from tests.hostile.mutations import of_bytes, of_document, of_text
from tests.hostile.run_directory import RECORD_ID, made

if TYPE_CHECKING:
    import random

_SCENARIOS = [path.read_text().replace("../", f"{BUILT_IN.parent}/") for path in sorted(BUILT_IN.glob("*.yaml"))]
_TEMPLATES = [path.read_text() for path in sorted((BUILT_IN.parent / "pipeline").glob("*/template.yaml"))]
_DEFECTS = [path.read_text() for path in sorted((BUILT_IN.parent / "fixtures" / "defects").glob("*/defect.yaml"))]


def scenarios(rng: random.Random, place: Path) -> None:
    """A scenario file, as `pipeproof run` reads it up to the first record."""
    path = place / "s.yaml"
    path.write_text(of_text(rng, rng.choice(_SCENARIOS)), encoding="utf-8", errors="replace")
    description(path)
    with contextlib.suppress(UsageError):
        load = open_load(make_recipe("s", load_scenario(path), records=20))
        for unit in load.units():
            if hasattr(unit, "places"):
                for _ in unit.places():
                    pass


def templates(rng: random.Random, place: Path) -> None:
    """A template, and a file of a planted defect."""
    path = place / "template.yaml"
    path.write_text(of_text(rng, rng.choice(_TEMPLATES)), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        load_template(path)
    (place / "defects" / "one").mkdir(parents=True)
    (place / "defects" / "one" / "defect.yaml").write_text(of_text(rng, rng.choice(_DEFECTS)), encoding="utf-8", errors="replace")
    with contextlib.suppress(UsageError):
        load_defects(place / "defects")


_APACHE = '10.0.0.1 - me [17/May/2015:10:05:03 +0000] "GET /a?b=%20x HTTP/1.1" 200 512 "http://e.org/" "Agent (\\"x\\")"\n' * 5
_NDJSON = "".join(json.dumps({"id": f"r{n}", "user": "ü", "n": n, "nested": {"a": [1, None]}}) + "\n" for n in range(5))
_CSV = "id,user,text\n" + "".join(f'r{n},u{n},"two\nlines, ""quoted"""\n' for n in range(5))
_EVENT = {"id": "{record_id}", "user": "{user}"}
_FORMATS = {
    "apache_combined": (_APACHE, _EVENT),
    "ndjson": (_NDJSON, None),
    "csv": (_CSV, _EVENT),
}


def inputs(rng: random.Random, place: Path) -> None:
    """A file that is replayed. Once it is opened, no line stops it."""
    path = place / "input"
    form = rng.choice([*_FORMATS, "upload"])
    path.write_bytes(of_bytes(rng, (_CSV if form == "upload" else _FORMATS[form][0]).encode(), times=8))
    context = SourceContext(1, None, path)
    if form == "upload":
        with contextlib.suppress(UsageError):
            for file in Upload(kind="upload", id_fields=("id",)).open(context).units():
                for _ in file.places():
                    pass
        return
    source = RecordedFile.model_validate({"format": form, "event": _FORMATS[form][1], "id_field": "id", "key_field": "user"})
    try:
        load = source.open(context)
    except UsageError:
        return
    for record in load.units():
        assert record.record_id
        assert record.payload
        # As it is written down, and as a stream is given it.
        record.record_id.encode()
        record.partition_key.encode()


def run_directories(rng: random.Random, place: Path) -> None:
    """The directory of a run, replayed, compared and traced."""
    run_dir = place / "run"
    shutil.copytree(made(), run_dir)
    for file in rng.sample(sorted(path for path in run_dir.iterdir() if path.is_file()), rng.randint(1, 2)):
        if file.suffix == ".json" and rng.random() < 0.7:
            changed = of_document(rng, json.loads(file.read_text()))
            file.write_text("[" * 50_000 if rng.random() < 0.05 else json.dumps(changed))
        elif rng.random() < 0.1:
            file.unlink()
        else:
            file.write_bytes(of_bytes(rng, file.read_bytes()))
    with contextlib.suppress(UsageError):
        recall(run_dir)
    with contextlib.suppress(UsageError):
        compare(run_dir, made())
    with contextlib.suppress(UsageError):
        for line in told(run_dir, rng.choice([RECORD_ID, "another", ""])):
            line.encode()


def packages(rng: random.Random, place: Path) -> None:
    """The zip of a function, unpacked. Nothing is written outside of its directory."""
    buffer = io.BytesIO()
    names = ["app.py", "a/b.py", "lnk", "lnk/f", "../out", "/tmp/out", "a/../../out", "", ".", "a" * 300, "ü/日", "a//b", "lnk2"]
    kinds = [stat.S_IFREG, stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR, 0]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(rng.randint(1, 6)):
            info = zipfile.ZipInfo(rng.choice(names))
            info.external_attr = (rng.choice(kinds) | rng.choice([0o644, 0o7777, 0])) << 16
            archive.writestr(info, rng.choice([b"", b"..", b"/", b"a", b"../../out", b"x" * 100, bytes(100_000)]))
    content = buffer.getvalue() if rng.random() < 0.5 else of_bytes(rng, buffer.getvalue())
    into = place / "code"
    into.mkdir()
    zipped = place / "a.zip"
    zipped.write_bytes(content)
    with contextlib.suppress(BadArchiveError):
        verify(content)
    with contextlib.suppress(BadArchiveError):
        unpack(str(zipped), str(into))
        for path in into.rglob("*"):
            assert path.resolve().is_relative_to(into.resolve()), path
    assert {path.name for path in place.iterdir()} == {"code", "a.zip"}
    assert not Path("/tmp/out").exists()


TARGETS = {target.__name__: target for target in (scenarios, templates, inputs, run_directories, packages)}
