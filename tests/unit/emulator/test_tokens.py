"""The tokens of emulators, as files."""

import hashlib
import json
import os

import pytest

from harness.emulator import tokens
from harness.emulator.owner import Owner
from harness.emulator.ports import free_port
from harness.errors import UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path))
    monkeypatch.delenv("PIPEPROOF_TOKEN", raising=False)
    return tmp_path


def test_the_emulator_has_the_hash_of_what_the_user_has(cache):
    inside = tokens.settings_inside(4566, ["http://localhost:3000", "http://localhost:4000"])
    token = tokens.headers("http://127.0.0.1:4566/_pipeproof/faults")[tokens.HEADER]
    assert inside["PIPEPROOF_TOKEN_SHA256"] == hashlib.sha256(token.encode()).hexdigest()
    assert inside["PIPEPROOF_ALLOW_ORIGINS"] == "http://localhost:3000,http://localhost:4000"
    assert token not in "".join(inside.values())
    assert (cache / "tokens").stat().st_mode & 0o777 == 0o700
    assert (cache / "tokens" / "4566").stat().st_mode & 0o777 == 0o600


def test_a_removed_token_is_sent_no_more():
    tokens.settings_inside(4566, [])
    tokens.remove(4566)
    tokens.remove(4566)
    assert tokens.headers("http://127.0.0.1:4566") == {}


def test_other_machines_get_only_the_token_that_the_user_names(monkeypatch):
    tokens.settings_inside(4566, [])
    assert tokens.headers("http://192.0.2.1:4566") == {}
    monkeypatch.setenv("PIPEPROOF_TOKEN", "mine")
    assert tokens.headers("http://192.0.2.1:4566") == {tokens.HEADER: "mine"}


def test_a_directory_that_others_can_read_is_refused(cache):
    (cache / "tokens").mkdir(mode=0o755)
    with pytest.raises(UsageError, match="chmod 700"):
        tokens.settings_inside(4566, [])


def test_tokens_of_processes_that_are_gone_are_swept(cache):
    port = free_port()
    tokens.settings_inside(port, [])
    tokens.sweep()
    file = cache / "tokens" / str(port)
    assert file.exists(), "its owner lives"
    document = json.loads(file.read_text())
    owner = Owner.of(os.getpid())
    file.write_text(
        json.dumps({**document, "owner": {"pid": owner.pid, "started_at_s": owner.started_at_s - 100, "session": None}})
    )
    tokens.sweep()
    assert not file.exists()
