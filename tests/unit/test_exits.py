"""What the command says at its end."""

from __future__ import annotations

import click
import pytest

from harness.exits import ErrorsAsMessages


@pytest.mark.parametrize(
    ("left", "told"),
    [
        ((), "interrupted; everything that was started has been stopped"),
        (("stack pp-a", "bucket b"), "interrupted; what was started has been stopped, but for stack pp-a, bucket b"),
    ],
)
def test_an_interrupted_command_names_what_it_could_not_remove(left, told, capsys, handlers):
    @click.group(cls=ErrorsAsMessages)
    def command():
        pass

    @command.command()
    def run():
        raise KeyboardInterrupt(*left)

    with pytest.raises(SystemExit) as ended:
        command.main(["run"])
    assert ended.value.code == 130
    assert f"pipeproof: {told}\n" in capsys.readouterr().err
