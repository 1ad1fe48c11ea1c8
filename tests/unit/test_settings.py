"""Settings are checked once, and the docs list what there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.settings import PREFIX, Settings, settings, table

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)


def test_the_docs_list_every_setting_with_its_default():
    assert table() in (ROOT / "docs" / "settings.md").read_text()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("LAMBDA_ENVIRONMENTS", "many", "valid integer"),
        ("LAMBDA_ENVIRONMENTS", "0", "greater than 0"),
        ("LAMBDA_QUEUE_S", "-1", "greater than or equal to 0"),
        ("KINESIS_THROUGHPUT", "yes", "'off' or 'enforce'"),
        ("CONTAINER_MEMORY", "plenty", "expected a size such as 4g or 1500m"),
    ],
)
def test_a_value_that_means_nothing_is_named_with_what_is_expected(monkeypatch, name, value, said):
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(UsageError, match=f"{PREFIX}{name}={value}: ") as refused:
        settings()
    assert said in str(refused.value)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.setenv(PREFIX + name.upper(), "")
    assert settings() == Settings.model_construct()


def test_a_variable_that_changes_is_read_again(monkeypatch):
    assert settings().lambda_queue_s == 900
    monkeypatch.setenv("PIPEPROOF_LAMBDA_QUEUE_S", "5")
    assert settings().lambda_queue_s == 5
    assert settings() is settings()
