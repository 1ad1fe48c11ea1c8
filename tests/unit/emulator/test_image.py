"""The image's name changes with what goes into it, and with nothing else; a build that fails says what to do."""

from __future__ import annotations

import io
import re
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from docker.errors import APIError

from harness.emulator import image


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository with only what counts."""
    root = tmp_path / "checkout"
    for name in ("docker/Dockerfile", "requirements/image.txt", "pyproject.toml", "LICENSE", "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    for name in (
        "__init__.py",
        "errors.py",
        "processes.py",
        "cli.py",
        "inside/plugins.py",
        "inside/lambda_/executor.py",
        "run/engine.py",
    ):
        (root / "harness" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "harness" / name).write_text(name)
    monkeypatch.setattr(image, "_PACKAGE", root / "harness")
    for name in image._CERTIFICATES:
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.mark.parametrize(
    "name", ["docker/Dockerfile", "requirements/image.txt", "harness/processes.py", "harness/inside/lambda_/executor.py"]
)
def test_another_input_is_another_image(tree, name):
    before = image.tag()
    (tree / name).write_text("changed")
    assert image.tag() != before


@pytest.mark.parametrize("name", ["README.md", "harness/cli.py", "harness/run/engine.py"])
def test_what_the_image_does_not_hold_does_not_make_it_outdated(tree, name):
    before = image.tag()
    (tree / name).write_text("changed")
    assert image.tag() == before


def names(context):
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        return set(archive.getnames())


def test_the_build_gets_the_inputs_and_the_hosts_certificates_where_some_are_configured(tree, tmp_path, monkeypatch):
    without = names(image._context())
    assert without == {*image._inputs(), "README.md"}
    assert "harness/cli.py" not in without
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    before = image.tag()
    assert names(image._context()) == without | {"docker/ca-bundle.crt"}
    assert image.tag() == before


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("failed to resolve debian:trixie-slim", "docker/base-image.sh"),
        ("write /layer.tar: no space left on device", "docker system prune"),
        ("something else", "--emulator embedded"),
    ],
)
def test_a_build_that_fails_says_what_to_do(error, remedy):
    message = image._explain("name:tag", error, "the step before")
    assert error in message
    assert "the step before" in message
    assert remedy in message


def test_both_images_hold_the_same_packages():
    root = Path(__file__).parents[3]
    wanted = re.findall(r"^[a-z][a-z-]*$", (root / "requirements" / "image.in").read_text(), re.MULTILINE)
    official = (root / "docker" / "Dockerfile").read_text().partition("AS official")[2].split()
    assert len(wanted) > 8
    assert not set(wanted) - set(official)


class Images:
    """An engine's: what is removed is untagged; one tag is in use."""

    def __init__(self, *images):
        self.left = {tag: image for image in images for tag in image.tags}

    def list(self, repository):
        return [image for tag, image in self.left.items() if tag.startswith(repository)]

    def remove(self, tag):
        if tag.endswith(":used"):
            raise APIError("a container is using it")
        del self.left[tag]


def test_images_that_are_older_than_a_month_go_with_the_next_build_and_nothing_else_does():
    now = datetime.now(UTC)
    old, new = ((now - timedelta(days=days)).isoformat().replace("+00:00", "Z") for days in (31, 29))

    def one(built, *tags):
        return SimpleNamespace(
            tags=[f"{image.REPOSITORY}:{tag}" if ":" not in tag else tag for tag in tags], attrs={"Created": built}
        )

    images = Images(one(old, "gone", "mine:1"), one(old, "used"), one(old, "this"), one(new, "young"), one(old, "other:2"))
    image._sweep(SimpleNamespace(images=images), f"{image.REPOSITORY}:this")
    assert set(images.left) == {"mine:1", "other:2", *(f"{image.REPOSITORY}:{tag}" for tag in ("used", "this", "young"))}
