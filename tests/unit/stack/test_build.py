"""Deployment packages and templates."""

from __future__ import annotations

import zipfile

import pytest

from harness.emulator.external import is_loopback
from harness.errors import UsageError
from harness.stack import build
from harness.stack.build import build_package
from harness.stack.template import load_template


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path / "cache"))


def code(tmp_path, **files):
    root = tmp_path / "code"
    for name, text in files.items():
        path = root / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_same_code_makes_the_same_package_and_a_change_another(tmp_path):
    root = code(tmp_path, app__py="X = 1\n")
    first = build_package(root, "provided.al2023")
    content = first.read_bytes()
    assert build_package(root, "provided.al2023") == first
    first.unlink()
    assert build_package(root, "provided.al2023").read_bytes() == content
    (root / "app.py").write_text("X = 2\n")
    assert build_package(root, "provided.al2023") != first


def test_a_layer_has_its_content_in_a_folder_and_a_package_of_its_own(tmp_path):
    root = code(tmp_path, app__py="X = 1\n", lib__py="")
    names = [zipfile.ZipFile(build_package(root, "provided.al2023", folder)).namelist() for folder in ("", "python")]
    assert names[1] == [f"python/{name}" for name in names[0]]


def test_a_package_leaves_out_what_is_no_code(tmp_path):
    root = code(tmp_path, app__py="X = 1\n")
    for name in (".git", ".tox", "__pycache__"):
        (root / name).mkdir()
        (root / name / "file").write_text("x")
    assert zipfile.ZipFile(build_package(root, "provided.al2023")).namelist() == ["app.py"]


def test_a_folder_of_the_persons_own_stays_whatever_its_name(tmp_path):
    root = code(tmp_path, app__py="X = 1\n")
    for name in ("runs", "node_modules", "inner/.tox"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("x")
    assert len(zipfile.ZipFile(build_package(root, "provided.al2023")).namelist()) == 4


def test_what_a_link_points_to_is_part_of_the_package_and_of_its_name(tmp_path):
    root = code(tmp_path, app__py="X = 1\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "lib.py").write_text("1")
    (root / "shared").symlink_to(shared)
    first = build_package(root, "provided.al2023")
    (shared / "lib.py").write_text("2")
    second = build_package(root, "provided.al2023")
    assert zipfile.ZipFile(first).read("shared/lib.py") == b"1"
    assert zipfile.ZipFile(second).read("shared/lib.py") == b"2"


@pytest.fixture
def installs(monkeypatch):
    """The requirements that were installed, each time; a package is a module with its name."""
    made = []

    def install(requirements, target, _runtime):
        made.append(requirements.read_text())
        (target / "lib").mkdir()
        (target / "lib" / "__init__.py").write_text(f"X = {len(made)}\n")
        (target / "other.py").write_text("")
        (target / "other.py").chmod(0o755)

    monkeypatch.setattr(build, "_install", install)
    return made


def test_after_a_change_of_the_code_alone_pinned_packages_are_not_installed_again(tmp_path, installs):
    root = code(tmp_path, app__py="X = 1\n", requirements__txt="# what it needs\nlib==1.0 ; python_version > '3' --hash=sha256:0\n")
    build_package(root, "python3.13")
    (root / "app.py").write_text("X = 2\n")
    with zipfile.ZipFile(build_package(root, "python3.13")) as package:
        assert package.read("app.py") == b"X = 2\n"
        assert package.read("lib/__init__.py") == b"X = 1\n"
        assert len(set(package.namelist())) == len(package.namelist())
        assert sum(name.endswith(".pyc") for name in package.namelist()) == 3
    assert len(installs) == 1
    build_package(root, "python3.12")
    build_package(root, "python3.13", "python")
    (root / "requirements.txt").write_text("lib==1.1\n")
    build_package(root, "python3.13")
    assert len(installs) == 4


@pytest.mark.parametrize("line", ["lib", "lib>=1", "lib==1.*", "-r more.txt", "./lib", "lib @ file:lib.whl", "-e ."])
def test_packages_that_are_not_pinned_are_installed_with_each_change(tmp_path, installs, line):
    root = code(tmp_path, app__py="X = 1\n", requirements__txt=f"other==1\n{line}\n")
    build_package(root, "python3.13")
    (root / "app.py").write_text("X = 2\n")
    build_package(root, "python3.13")
    assert len(installs) == 2


def test_the_code_takes_the_place_of_a_package_with_its_name(tmp_path, installs):
    root = code(tmp_path, requirements__txt="lib==1\n")
    (root / "lib").mkdir()
    (root / "lib" / "__init__.py").write_text("MINE = 1\n")
    with zipfile.ZipFile(build_package(root, "python3.13")) as package:
        assert package.read("lib/__init__.py") == b"MINE = 1\n"
        assert package.getinfo("other.py").external_attr >> 16 & 0o111
        assert len(set(package.namelist())) == len(package.namelist())
    assert installs


def test_a_zip_is_taken_as_it_is(tmp_path):
    package = tmp_path / "mine.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("a", "b")
    assert build_package(package, "python3.13") == package


def test_code_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        build_package(tmp_path / "nowhere", "python3.13")


def test_short_forms_read_as_functions_and_dates_stay_text(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(
        "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  A:\n    Type: X\n    Properties:\n      R: !Ref B\n      G: !GetAtt C.Arn.More\n      S: !Sub '${D}'\n"
        "      J: !Join ['-', [a, !Ref E]]\n"
    )
    template = load_template(path)
    assert template["AWSTemplateFormatVersion"] == "2010-09-09"
    assert template["Resources"]["A"]["Properties"] == {
        "R": {"Ref": "B"},
        "G": {"Fn::GetAtt": ["C", "Arn.More"]},
        "S": {"Fn::Sub": "${D}"},
        "J": {"Fn::Join": ["-", ["a", {"Ref": "E"}]]},
    }


@pytest.mark.parametrize("text", ["just text", "a: [", "Parameters: {}", "Resources: []"])
def test_what_is_no_template_is_a_usage_error(tmp_path, text):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"t\.yaml"):
        load_template(path)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("a.localhost", True),
        ("10.0.0.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_only_this_machine_is_loopback(host, expected):
    assert is_loopback(host) is expected
