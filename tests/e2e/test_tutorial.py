"""The tutorial, executed as it stands: its files are written, its commands run, and what it says they print is printed."""

from __future__ import annotations

import re
import shlex

from tests.e2e.commands import KIND, ROOT, pipeproof

TUTORIAL = ROOT / "docs" / "your-own-pipeline.md"
FENCE = re.compile(r"^```(?P<kind>\w+)(?P<more>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_does_what_it_says(tmp_path):
    output, commands, files = "", [], []
    for fence in FENCE.finditer(TUTORIAL.read_text()):
        kind, more, text = fence["kind"], fence["more"].split(), fence["text"]
        if kind == "bash":
            commands.append(text.strip())
            emulator = ["--emulator", KIND] if " run " in text else []
            code, output, _ = pipeproof(tmp_path, *shlex.split(text)[1:], *emulator)
            assert code == (int(more[1]) if more else 0), output
        elif kind == "text":
            place = 0
            for line in text.splitlines():
                assert line in output[place:], f"{commands[-1]} does not print {line!r}:\n{output}"
                place = output.index(line, place)
        elif more[0] == "append":
            with (tmp_path / more[1]).open("a") as file:
                file.write(text)
        else:
            files.append(more[0])
            (tmp_path / more[0]).parent.mkdir(exist_ok=True)
            (tmp_path / more[0]).write_text(text)
    assert len(commands) == 6
    assert files == ["template.yaml", "src/app.py", "readings.json", "src/app.py", "src/app.py"]
