"""pipeproof under pytest: scenario files as tests, and fixtures that run scenarios and deploy stacks. See docs/pytest.md.

Every pytest of an environment where pipeproof is installed loads this module: it imports pytest and the standard library, and the rest when a
test needs it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.emulator.emulator import Description
    from harness.pytest_plugin.emulators import Emulators, Own
    from harness.pytest_plugin.runs import Account, Runner
    from harness.pytest_plugin.stacks import Stack
    from harness.pytest_plugin.workers import ForWorkers

_MARKERS = (
    "scenario(file, seed=None, records=None, faults=None, input=None, lookup=None, verdict='pass'): the scenario that the fixture `account` runs",
    "stack(template, **parameters): the SAM template that the fixture `stack` deploys",
)
_OPTIONS = ("seed", "records", "faults", "input", "lookup", "verdict")
_YAML = {".yaml", ".yml"}


class _Session:
    """What pipeproof keeps of a test session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        # Several workers may ask at once.
        self._asking = threading.Lock()
        self._emulators: Emulators | None = None
        self._own: Own | None = None
        self._runner: Runner | None = None
        self._for_workers: ForWorkers | None = None

    @property
    def out(self) -> Path:
        """Returns where run directories go."""
        return self._config.rootpath / str(_setting(self._config, "report"))

    @property
    def emulators(self) -> Emulators:
        if self._emulators is None:
            given = getattr(self._config, "workerinput", {}).get("pipeproof")
            self._emulators = self._of_controller(*given) if given else self.own()
        return self._emulators

    @staticmethod
    def _of_controller(address: str, key: str) -> Emulators:
        from harness.pytest_plugin.workers import OfController  # noqa: PLC0415

        return OfController(address, key)

    def own(self) -> Own:
        """Returns the emulators of this process."""
        from harness.pytest_plugin.emulators import Own as Emulators  # noqa: PLC0415
        from harness.settings import settings  # noqa: PLC0415

        with self._asking:
            if self._own is None:
                self._own = Emulators(str(_setting(self._config, "emulator") or settings().emulator), self.out)
            return self._own

    @property
    def runner(self) -> Runner:
        from harness.pytest_plugin.runs import Runner as OfScenarios  # noqa: PLC0415

        if self._runner is None:
            worker = str(getattr(self._config, "workerinput", {}).get("workerid", "gw0"))
            self._runner = OfScenarios(self.emulators, self.out, int(worker.removeprefix("gw") or 0))
        return self._runner

    def address(self) -> tuple[str, str]:
        """Returns what a worker of pytest-xdist needs to ask this process for an emulator."""
        from harness.pytest_plugin.workers import ForWorkers  # noqa: PLC0415

        if self._for_workers is None:
            self._for_workers = ForWorkers(lambda node: self.own().description(node=node))
        return self._for_workers.address

    def end(self) -> None:
        if self._for_workers is not None:
            self._for_workers.close()
        if self._own is not None:
            self._own.stop()


_SESSION = pytest.StashKey[_Session]()
_FAILURE = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pipeproof", "pipeproof: does the pipeline lose a record?")
    group.addoption(
        "--pipeproof-emulator", metavar="EMULATOR", help="auto, embedded, container, or the URL of an endpoint that runs already."
    )
    group.addoption("--pipeproof-report", metavar="DIR", help="Where the directories of runs go. [default: runs]")
    parser.addini("pipeproof_emulator", "The default of --pipeproof-emulator.", default="")
    parser.addini("pipeproof_report", "The default of --pipeproof-report.", default="runs")
    parser.addini("pipeproof_scenarios", "Scenario files that are tests: globs below the root directory.", type="args", default=[])


def _setting(config: pytest.Config, name: str) -> Any:
    return config.getoption(f"--pipeproof-{name}") or config.getini(f"pipeproof_{name}")


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_SESSION] = _Session(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (session := config.stash.get(_SESSION, None)) is not None:
        session.end()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where it gets an emulator."""
    node.workerinput["pipeproof"] = node.config.stash[_SESSION].address()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a scenario file that was named, on the command line or in `pipeproof_scenarios`."""
    if file_path.suffix not in _YAML:
        return None
    globs, root = parent.config.getini("pipeproof_scenarios"), parent.config.rootpath
    named = parent.session.isinitpath(file_path) or any(
        file_path.is_relative_to(root) and file_path.relative_to(root).match(glob) for glob in globs
    )
    return _ScenarioFile.from_parent(parent, path=file_path) if named else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuses a test that names a scenario, or a stack, and does not use it: it would prove nothing."""
    for item in items:
        for marker, fixtures in (("scenario", {"account"}), ("stack", {"stack"})):
            if item.get_closest_marker(marker) and not fixtures & set(getattr(item, "fixturenames", ())):
                message = f"{item.nodeid}: @pytest.mark.{marker} does nothing where the test does not take the fixture {' or '.join(fixtures)}"
                raise pytest.UsageError(message)


class _ScenarioFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        from harness.errors import UsageError  # noqa: PLC0415
        from harness.scenario.loading import load_scenario  # noqa: PLC0415

        try:
            load_scenario(self.path)
        except UsageError as error:
            raise self.CollectError(str(error)) from error
        yield _ScenarioItem.from_parent(self, name=self.path.stem)


class _ScenarioItem(pytest.Item):
    def runtest(self) -> None:
        _told(self, str(self.path))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"scenario {self.name}"


def _told(item: pytest.Item, file: str, **options: Any) -> Account:
    """Runs a scenario. What is wrong with it, or with its verdict, is the test's failure: no traceback through the harness says more."""
    found = _tried(item, file, **options)
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    return found


def _tried(item: pytest.Item, file: str, **options: Any) -> Account | str:
    """Runs a scenario. Returns what it found, or why that is the test's failure."""
    from harness.errors import UnknownVerdictError, UsageError  # noqa: PLC0415
    from harness.pytest_plugin.runs import WrongVerdictError  # noqa: PLC0415

    try:
        found = item.config.stash[_SESSION].runner.run(file, **options)
    except WrongVerdictError as error:
        item.user_properties += error.account.properties()
        return str(error)
    except (UsageError, UnknownVerdictError) as error:
        return str(error)
    item.user_properties += found.properties()
    return found


@pytest.fixture(scope="session")
def pipeproof_emulator(request: pytest.FixtureRequest) -> Description:
    """The emulator of this session, shared by the workers of pytest-xdist: its `endpoint`, its `version` and so on."""
    return request.config.stash[_SESSION].emulators.description(node=False)


@pytest.fixture
def run_scenario(request: pytest.FixtureRequest) -> Callable[..., Account]:
    """A function that runs a scenario file and returns its Account. It takes seed, records, faults, input, lookup and verdict: the test fails where the verdict is
    not that one (by default pass; None takes any)."""
    return lambda file, **options: _told(request.node, _scenario(file, request), **options)


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account | None:
    """The Account of the scenario that @pytest.mark.scenario names, as `run_scenario` returns it."""
    marker = request.node.get_closest_marker("scenario")
    if marker is None or len(marker.args) != 1:
        pytest.fail('the fixture `account` needs @pytest.mark.scenario("FILE.yaml")', pytrace=False)
    if unknown := set(marker.kwargs) - set(_OPTIONS):
        message = f"@pytest.mark.scenario has no {', '.join(map(repr, sorted(unknown)))}; it takes {', '.join(_OPTIONS)}"
        request.node.stash[_FAILURE] = message
        return None
    found = _tried(request.node, _scenario(marker.args[0], request), **marker.kwargs)
    if isinstance(found, str):
        request.node.stash[_FAILURE] = found
        return None
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fails a test whose scenario has failed. In the fixture it would be an error of the test's setup."""
    if failure := item.stash.get(_FAILURE, ""):
        pytest.fail(failure, pytrace=False)


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack of the SAM template that @pytest.mark.stack names. It is in an AWS account that nothing else uses, and is deleted after the test."""
    from harness.errors import DeployError, UnknownVerdictError, UsageError  # noqa: PLC0415
    from harness.pytest_plugin.stacks import deployed  # noqa: PLC0415

    marker = request.node.get_closest_marker("stack")
    if marker is None or len(marker.args) != 1:
        pytest.fail('the fixture `stack` needs @pytest.mark.stack("template.yaml")', pytrace=False)
    session = request.config.stash[_SESSION]
    template = _beside(marker.args[0], request)
    parameters: Mapping[str, str] = marker.kwargs
    made = deployed(session.emulators, template, parameters, session.runner.account_id())
    try:
        found: Stack | str = made.__enter__()
    except (UsageError, UnknownVerdictError, DeployError) as error:
        found = str(error)
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    yield found
    made.__exit__(None, None, None)


def _scenario(file: Path | str, request: pytest.FixtureRequest) -> str:
    """Returns a scenario file beside the test, or the name of a scenario as it is."""
    return str(_beside(file, request)) if Path(file).suffix in _YAML else str(file)


def _beside(file: Path | str, request: pytest.FixtureRequest) -> Path:
    """Returns a file by its path from the test's folder, or else from the root directory."""
    beside = request.path.parent / file
    return beside if beside.exists() else request.config.rootpath / file
