"""pipeproof under pytest: scenario files as tests, and fixtures that run scenarios and deploy stacks. See docs/pytest.md.

Every pytest of an environment where pipeproof is installed loads this module: it imports pytest and the standard library, and the rest when a
test needs it."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

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
_FIXTURES = {"scenario": "account", "stack": "stack"}
"""By marker, the fixture that does what it asks for."""
_PROPERTY = "pipeproof."
_YAML = {".yaml", ".yml"}
# A file without any of these is no scenario, but YAML of something else. What has resources is a template: its error says so.
_KEYS = re.compile(r"^(stack|send|probes|Resources)\s*:", re.MULTILINE)


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
        self.files = _named_files(config)

    @property
    def out(self) -> Path:
        """Returns where run directories go."""
        given = self._config.getoption("--pipeproof-report")
        return (
            self._config.invocation_params.dir / given
            if given
            else self._config.rootpath / str(self._config.getini("pipeproof_report"))
        )

    @property
    def emulators(self) -> Emulators:
        if self._emulators is None:
            invited = getattr(self._config, "workerinput", {}).get("pipeproof")
            self._emulators = self._of_controller(*invited[:2]) if invited else self.own()
        return self._emulators

    @staticmethod
    def _of_controller(port: int, key: str) -> Emulators:
        from harness.pytest_plugin.workers import OfController  # noqa: PLC0415

        return OfController(port, key)

    def own(self) -> Own:
        """Returns the emulators of this process."""
        from harness.pytest_plugin.emulators import Own as Emulators  # noqa: PLC0415
        from harness.settings import settings  # noqa: PLC0415

        wanted = self._config.getoption("--pipeproof-emulator") or self._config.getini("pipeproof_emulator")
        with self._asking:
            if self._own is None:
                self._own = Emulators(str(wanted or settings().emulator), self.out)
            return self._own

    @property
    def runner(self) -> Runner:
        from harness.pytest_plugin.runs import Runner as OfScenarios  # noqa: PLC0415

        if self._runner is None:
            invited = getattr(self._config, "workerinput", {}).get("pipeproof")
            self._runner = OfScenarios(self.emulators, self.out, invited[2] if invited else 0)
        return self._runner

    def invitation(self) -> tuple[int, str, int]:
        """Returns what a worker of pytest-xdist needs to ask this process for an emulator."""
        from harness.pytest_plugin.workers import ForWorkers  # noqa: PLC0415

        if self._for_workers is None:
            self._for_workers = ForWorkers(lambda node: self.own().description(node=node))
        return self._for_workers.invitation()

    def end(self) -> None:
        if self._for_workers is not None:
            self._for_workers.close()
        if self._own is not None:
            self._own.stop()


def _named_files(config: pytest.Config) -> frozenset[Path]:
    """Returns the files that `pipeproof_scenarios` names. Raises UsageError for a glob that names none: what it was to test would not be tested."""
    found: set[Path] = set()
    for glob in config.getini("pipeproof_scenarios"):
        try:
            matched = set(config.rootpath.glob(glob))
        except (NotImplementedError, ValueError) as error:
            raise pytest.UsageError(f"pipeproof_scenarios: {glob}: {error}: expected a glob below the root directory") from error
        if not matched:
            raise pytest.UsageError(f"pipeproof_scenarios: {glob} matches no file below {config.rootpath}")
        found |= matched
    return frozenset(found)


_SESSION = pytest.StashKey[_Session]()
_FAILURE = pytest.StashKey[str]()
_USED = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("pipeproof", "pipeproof: does the pipeline lose a record?")
    group.addoption(
        "--pipeproof-emulator", metavar="EMULATOR", help="auto, embedded, container, or the URL of an endpoint that runs already."
    )
    group.addoption("--pipeproof-report", metavar="DIR", help="Where the directories of runs go. [default: runs]")
    parser.addini("pipeproof_emulator", "The default of --pipeproof-emulator.", default="")
    parser.addini("pipeproof_report", "The default of --pipeproof-report.", default="runs")
    parser.addini("pipeproof_scenarios", "Scenario files that are tests: globs below the root directory.", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    session = config.stash[_SESSION] = _Session(config)
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args += [str(file) for file in sorted(session.files)]


def pytest_unconfigure(config: pytest.Config) -> None:
    if (session := config.stash.get(_SESSION, None)) is not None:
        session.end()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where it gets an emulator."""
    node.workerinput["pipeproof"] = node.config.stash[_SESSION].invitation()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collects a scenario file that was named, on the command line or in `pipeproof_scenarios`. YAML of another plugin is left to it."""
    if file_path.suffix not in _YAML:
        return None
    named = parent.session.isinitpath(file_path) or file_path in parent.config.stash[_SESSION].files
    if not named or _KEYS.search(file_path.read_text(encoding="utf-8", errors="replace")) is None:
        return None
    return _ScenarioFile.from_parent(parent, path=file_path)


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forgets what an earlier try of the test has found."""
    item.stash[_FAILURE] = ""
    item.stash[_USED] = set()
    item.user_properties[:] = [(name, value) for name, value in item.user_properties if not name.startswith(_PROPERTY)]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fails a test whose scenario has failed: in the fixture that would be an error of its setup. And one that names a scenario or a stack and has not used it:
    it would prove nothing."""
    _fail_if_any(item)
    yield
    _fail_if_any(item)
    for name, fixture in _FIXTURES.items():
        marker = item.get_closest_marker(name)
        if marker is not None and (marker.args or marker.kwargs) and fixture not in item.stash.get(_USED, ()):
            message = f"@pytest.mark.{name} has done nothing: the test does not take the fixture `{fixture}` of pipeproof"
            _fail(message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Says in pytest's summary, and in JUnit's `message`, the first line of why a scenario has failed. All of it is said once, above."""
    report = yield
    crash = getattr(report.longrepr, "reprcrash", None)
    if call.excinfo is not None and isinstance(call.excinfo.value, _Failed) and crash is not None:
        crash.message = crash.message.partition("\n")[0]
    return report


# pytest documents this class, and types `fail` as a function.
class _Failed(pytest.fail.Exception):  # type: ignore[name-defined,misc]
    """A test has failed for what pipeproof found. No traceback through the harness says more."""

    # As pytest shows its own.
    __module__, __qualname__ = "builtins", "Failed"


def _fail(message: str) -> NoReturn:
    raise _Failed(message, pytrace=False)


def _fail_if_any(item: pytest.Item) -> None:
    if failure := item.stash.get(_FAILURE, ""):
        _fail(failure)


def _told(item: pytest.Item, file: str, **options: Any) -> Account:
    """Runs a scenario. What is wrong with it, or with its verdict, is the test's failure."""
    found = _tried(item, file, **options)
    if isinstance(found, str):
        _fail(found)
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


class _NoAccount:
    """In the place of an Account, where its run is the test's failure: for fixtures that take `account`."""

    def __init__(self, failure: str) -> None:
        self._failure = failure

    def __getattr__(self, _name: str) -> Any:
        _fail(self._failure)


@pytest.fixture(scope="session")
def pipeproof_emulator(request: pytest.FixtureRequest) -> Description:
    """The emulator of this session, shared by the workers of pytest-xdist: its `endpoint`, its `version` and so on."""
    from harness.errors import UnknownVerdictError, UsageError  # noqa: PLC0415

    try:
        return request.config.stash[_SESSION].emulators.description(node=False)
    except (UsageError, UnknownVerdictError) as error:
        failure = str(error)
    _fail(failure)


@pytest.fixture
def run_scenario(request: pytest.FixtureRequest) -> Callable[..., Account]:
    """A function that runs a scenario file and returns its Account. It takes seed, records, faults, input, lookup and verdict: the test fails where the verdict is
    not that one (by default pass; None takes any)."""
    return lambda file, **options: _told(request.node, _scenario(file, request), **_beside_the_test(options, request))


@pytest.fixture
def account(request: pytest.FixtureRequest) -> Account | _NoAccount:
    """The Account of the scenario that @pytest.mark.scenario names, as `run_scenario` returns it."""
    request.node.stash[_USED].add("account")
    found = _account(request)
    if not isinstance(found, str):
        return found
    if request.config.getoption("setuponly", default=False):
        _fail(found)
    request.node.stash[_FAILURE] = found
    return _NoAccount(found)


def _account(request: pytest.FixtureRequest) -> Account | str:
    """Returns what the run of the test's scenario has found, or why that is the test's failure."""
    markers = list(request.node.iter_markers_with_node("scenario"))
    if not markers:
        return 'the fixture `account` needs @pytest.mark.scenario("FILE.yaml")'
    node, marker = markers[0]
    if len([of for of, _ in markers if of is node]) > 1:
        return "the test has several markers @pytest.mark.scenario: use the fixture `run_scenario`, which runs as many as you like"
    options = dict(marker.kwargs)
    files = [*marker.args, *([options.pop("file")] if "file" in options else [])]
    if unknown := set(options) - set(_OPTIONS):
        return f"@pytest.mark.scenario has no {', '.join(map(repr, sorted(unknown)))}; it takes {', '.join(_OPTIONS)}"
    if len(files) != 1 or not isinstance(files[0], str | Path):
        return f'@pytest.mark.scenario takes one file, such as @pytest.mark.scenario("FILE.yaml"), not {files}'
    return _tried(request.node, _scenario(files[0], request), **_beside_the_test(options, request))


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The stack of the SAM template that @pytest.mark.stack names. It is in an AWS account that nothing else uses, and is deleted after the test."""
    from harness.errors import DeployError, UnknownVerdictError, UsageError  # noqa: PLC0415
    from harness.pytest_plugin.stacks import deployed  # noqa: PLC0415

    request.node.stash[_USED].add("stack")
    marker = request.node.get_closest_marker("stack")
    if marker is None or len(marker.args) != 1:
        _fail('the fixture `stack` needs @pytest.mark.stack("template.yaml")')
    failure = ""
    with contextlib.ExitStack() as ends:
        try:
            session = request.config.stash[_SESSION]
            made = deployed(session.emulators, _beside(marker.args[0], request), marker.kwargs, session.runner.account_id())
            found = ends.enter_context(made)
        except (UsageError, UnknownVerdictError, DeployError) as error:
            failure = str(error)
        if failure:
            _fail(failure)
        yield found
        try:
            ends.close()
        except (UnknownVerdictError, DeployError) as error:
            failure = str(error)
    if failure:
        _fail(failure)


def _scenario(file: Path | str, request: pytest.FixtureRequest) -> str:
    """Returns a scenario file beside the test; a name is that of a file in the root directory's `scenarios`, or of one that comes with pipeproof."""
    if Path(file).suffix in _YAML:
        return str(_beside(file, request))
    own = request.config.rootpath / "scenarios" / f"{file}.yaml"
    return str(own) if own.exists() else str(file)


def _beside_the_test(options: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Returns the options with the paths of files that are beside the test."""
    files = {name: _beside(options[name], request) for name in ("input", "lookup") if isinstance(options.get(name), str | Path)}
    return {**options, **files}


def _beside(file: Path | str, request: pytest.FixtureRequest) -> Path:
    """Returns a file by its path from the test's folder, or else from the root directory."""
    beside = request.path.parent / file
    return beside if beside.exists() else request.config.rootpath / file
