"""A module that is put off until it is needed."""

from __future__ import annotations

import importlib
import sys

import pytest

from harness.inside.later import Later, later


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Returns the name of a module that notes in sys.modules that it was run."""
    (tmp_path / "put_off.py").write_text("import sys\nsys.modules['put_off_was_run'] = sys\nKnown = 'its own'\nOther = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "put_off"
    for name in ("put_off", "put_off_was_run"):
        sys.modules.pop(name, None)


def test_known_names_load_nothing_and_another_loads_the_module(module):
    later(module, {"Known": list})
    from put_off import Known

    assert Known is list
    assert not hasattr(sys.modules[module], "__path__")
    assert "put_off_was_run" not in sys.modules
    from put_off import Other

    assert Other == 2
    assert "put_off_was_run" in sys.modules
    assert not isinstance(sys.modules[module], Later)
    assert importlib.import_module(module).Known == "its own"


def test_a_name_that_the_module_has_not_is_an_error_as_ever(module):
    later(module, {})
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        from put_off import Nothing  # noqa: F401


def test_a_module_that_is_loaded_stays(module):
    loaded = importlib.import_module(module)
    later(module, {"Known": list})
    assert sys.modules[module] is loaded


def test_a_module_of_a_package_is_also_a_name_of_it(tmp_path, monkeypatch):
    package = tmp_path / "holder"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "put_off.py").write_text("Own = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    holder = importlib.import_module("holder")
    later("holder.put_off", {})
    assert isinstance(holder.put_off, Later)
    assert holder.put_off.Own == 1
    assert not isinstance(holder.put_off, Later)
    for name in ("holder", "holder.put_off"):
        sys.modules.pop(name, None)


def test_a_package_that_is_put_off_gives_its_modules_without_being_run(tmp_path, monkeypatch):
    package = tmp_path / "parcel"
    package.mkdir()
    (package / "__init__.py").write_text("import sys\nsys.modules['parcel_was_run'] = sys\nfrom parcel import inner\nOwn = 1\n")
    (package / "inner.py").write_text("Name = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    later("parcel", {"__path__": [str(package)]})
    from parcel.inner import Name

    inner = sys.modules["parcel.inner"]
    assert Name == 5
    assert "parcel_was_run" not in sys.modules
    # The package itself, later: with the module that is loaded already.
    from parcel import Own

    assert Own == 1
    assert importlib.import_module("parcel").inner is inner
    for name in ("parcel", "parcel.inner", "parcel_was_run"):
        sys.modules.pop(name, None)
