"""LocalStack in a Docker container: our image, no privilege, no way out, and one way in from loopback, through a door beside it.

It listens on the same port inside as outside, so that a URL that LocalStack hands out (of a queue, of an API) is right on both sides.
Its standard input is held by the harness: when that ends, however it ends, the container ends (see harness/inside/__main__.py). What
is then left of it, the next start removes.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import textwrap
import threading
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import interrupts
from harness.documents import MISTYPED
from harness.emulator import cache, image, tokens
from harness.emulator.docker_engine import connect
from harness.emulator.emulator import Description
from harness.emulator.health import last_lines, wait_until_healthy
from harness.emulator.owner import Owner
from harness.emulator.ports import free_port, wanted_port
from harness.errors import EmulatorDiedError, UnknownVerdictError
from harness.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from docker import DockerClient
    from docker.models.containers import Container as DockerContainer

LABEL = "pipeproof.owner"
"""Of every container and network: the process that owns it, as JSON, and on which machine that is."""

PIDS = 4096
_FILES = "2g"
_DOOR_MEMORY = "256m"
_DOOR_LINES = 10
NAME = "pipeproof-"
STAYS = "pipeproof-up-"
_ATTEMPTS = 5
_LOG_ENDS_WITHIN_S = 5
_BRIDGE = "com.docker.network.bridge."
_UNPRIVILEGED: dict[str, Any] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"], "read_only": True, "init": True}


class Container:
    """One container, logging to `log`. With `stays` it outlives the process that starts it. Web pages of the `origins` may ask it."""

    def __init__(self, log: Path, port: int | None = None, *, stays: bool = False, origins: Sequence[str] = ()) -> None:
        self._log = log
        self._port = port
        self.stays = stays
        self._origins = tuple(origins)
        self._token_of: int | None = None
        self._client = connect()
        self._memory = settings().container_memory
        self._name = f"{NAME}{uuid.uuid4().hex[:12]}"
        self._container: DockerContainer | None = None
        self._networks = self._node = False
        self._lifelines: list[Any] = []
        self._follower: threading.Thread | None = None

    def prepare(self, *, node: bool = False) -> Iterator[str]:
        """Removes what killed runs left, and builds the image where the engine lacks it: for functions in Node.js it is one that has it."""
        self._node = node
        sweep(self._client)
        tokens.sweep()
        cache.sweep()
        yield from image.build(self._client, node=node)

    def start(self) -> Description:
        """Runs the container and waits until LocalStack answers.

        Raises UsageError where the port is taken, UnknownVerdictError with LocalStack's last lines where it does not come up."""
        from docker.errors import APIError  # noqa: PLC0415

        try:
            port = self._run()
            self._follow()
            endpoint = f"http://127.0.0.1:{port}"
            health = wait_until_healthy(endpoint, self.check, self._log)
        except APIError as error:
            self.stop()
            message = f"the Docker engine does not run the container: {error.explanation or error}"
            raise UnknownVerdictError(message) from error
        except BaseException:
            self.stop()
            raise
        return Description("container", "localstack", health.version, endpoint, health.python_runtime, health.abilities)

    def check(self) -> None:
        """Raises EmulatorDiedError, with the reason and the last lines of the log, where the container no longer runs, or its door."""
        if self._container is None:
            return
        self._check_one(
            self._name,
            f"the container emulator (LocalStack, container {self._name})",
            f"{self._memory} of memory (PIPEPROOF_CONTAINER_MEMORY)",
        )
        door = _door(self._name)
        self._check_one(door, f"the way to the container emulator (container {door})", f"{_DOOR_MEMORY} of memory")

    def _check_one(self, name: str, named: str, memory: str) -> None:
        from docker.errors import NotFound  # noqa: PLC0415
        from requests.exceptions import RequestException  # noqa: PLC0415 - comes with the SDK

        try:
            state = self._client.api.inspect_container(name)["State"]
        except NotFound as error:
            message = f"{named} was removed{last_lines(self._log)}"
            raise EmulatorDiedError(message) from error
        except RequestException as error:
            message = f"the Docker engine that runs {named} no longer answers ({type(error).__name__})"
            raise EmulatorDiedError(message) from error
        if state["Running"]:
            return
        if state["OOMKilled"]:
            how = f"was killed: it needed more than its {memory}"
        elif state["ExitCode"] == 137:
            how = "was killed (SIGKILL)"
        else:
            how = f"exited with status {state['ExitCode']}"
        message = f"{named} {how}{self._said_last(name)}"
        raise EmulatorDiedError(message)

    def _said_last(self, name: str) -> str:
        """Returns the last lines of a container's output as a part of a message. Only the emulator's are in the log."""
        from requests.exceptions import RequestException  # noqa: PLC0415

        if name == self._name:
            self._wait_for_log()
            return last_lines(self._log)
        try:
            said = self._client.api.logs(name, tail=_DOOR_LINES).decode(errors="replace").strip()
        except RequestException:
            return ""
        return f"; its last lines:\n{textwrap.indent(said, '  ')}" if said else ""

    def release(self) -> None:
        """Does what `stop` does."""
        self.stop()

    def stop(self) -> None:
        """Removes the containers and their networks. Does nothing the second time."""
        with interrupts.held():
            if self._container is not None or self._networks:
                # By its id, since `let_go` may have renamed it.
                names = [str(self._container.id)] if self._container is not None else []
                _remove(self._client, [*names, _door(self._name), _door(self._stays_as)], [self._name, _door(self._name)])
                if self._container is not None:
                    self._wait_for_log()
            self._container, self._networks = None, False
            if self._token_of is not None:
                tokens.remove(self._token_of)
                self._token_of = None
            for lifeline in self._lifelines:
                lifeline.close()
            self._lifelines.clear()

    def let_go(self) -> dict[str, Any]:
        """See Detachable."""
        assert self._container is not None
        # The emulator first: the sweep keeps a door for as long as its emulator is there.
        self._container.rename(self._stays_as)
        self._client.containers.get(_door(self._name)).rename(_door(self._stays_as))
        return {"kind": "container", "name": self._stays_as, "network": self._name}

    @property
    def _stays_as(self) -> str:
        """Returns the name of a container that outlives its starter."""
        return f"{STAYS}{self._name.removeprefix(NAME)}"

    def _run(self) -> int:
        """Creates and starts the container; returns its port. A free port may be gone by the time that the engine binds it."""
        from docker.errors import APIError  # noqa: PLC0415

        for attempt in range(1, _ATTEMPTS + 1):
            port = free_port() if self._port is None else wanted_port(self._port)
            labels = {LABEL: _owner_label()}
            with interrupts.held():
                self._create(port, labels)
            try:
                with interrupts.held():
                    self._open_door(port, labels)
            except APIError as error:
                taken = "address already in use" in str(error) or "port is already allocated" in str(error)
                if not taken or attempt == _ATTEMPTS:
                    raise
                self.stop()
            else:
                return port
        raise AssertionError

    def _create(self, port: int, labels: dict[str, str]) -> None:
        """Creates the networks and the container, and starts it."""
        self._token_of = port
        self._networks = True
        self._client.networks.create(
            # Without a way out: no route of the engine's, and no address of this machine in it, at which its services could be reached.
            self._name, driver="bridge", internal=True, labels=labels, options={_BRIDGE + "inhibit_ipv4": "true"},
        )  # fmt: skip
        self._client.networks.create(
            _door(self._name), driver="bridge", labels=labels, options={_BRIDGE + "enable_ip_masquerade": "false"}
        )
        self._container = self._client.containers.create(
            image.tag(node=self._node), name=self._name, labels=labels, network=self._name, environment=self._environment(port),
            tmpfs={"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={_FILES}"},  # noqa: S108 - of the container
            mem_limit=self._memory, memswap_limit=self._memory, pids_limit=PIDS, nano_cpus=self._nano_cpus(),
            stdin_open=not self.stays, **_UNPRIVILEGED,
        )  # fmt: skip
        self._hold(self._name)
        self._container.start()

    def _open_door(self, port: int, labels: dict[str, str]) -> None:
        """Starts the container that passes connections on to the emulator (harness/inside/door.py)."""
        assert self._container is not None
        self._container.reload()
        address = self._container.attrs["NetworkSettings"]["Networks"][self._name]["IPAddress"]
        name = _door(self._name)
        door = self._client.containers.create(
            image.tag(node=self._node), name=name, labels=labels, network=name, ports={f"{port}/tcp": ("127.0.0.1", port)},
            entrypoint=["/opt/pipeproof/bin/python", "-m", "harness.inside.door", address, str(port)], environment=self._lifeline_variable(),
            mem_limit=_DOOR_MEMORY, memswap_limit=_DOOR_MEMORY, pids_limit=64, stdin_open=not self.stays, healthcheck={"test": ["NONE"]},
            **_UNPRIVILEGED,
        )  # fmt: skip
        self._client.networks.get(self._name).connect(door)
        self._hold(name)
        door.start()

    def _hold(self, name: str) -> None:
        """Holds the standard input of a container that is to end with this process."""
        if not self.stays:
            self._lifelines.append(self._client.api.attach_socket(name, params={"stdin": 1, "stream": 1}))

    def _lifeline_variable(self) -> dict[str, str]:
        return {} if self.stays else {"PIPEPROOF_LIFELINE_FD": "0"}

    def _nano_cpus(self) -> int:
        """Returns the limit of processor time, as the engine wants it: as it is set, but no more than the machine has."""
        return int(min(settings().container_cpus, self._client.info()["NCPU"]) * 1e9)

    def _environment(self, port: int) -> dict[str, str]:
        """Returns what differs from container to container; the rest is in the image. The user's settings of the emulator are passed on."""
        # Checked here: in the container a value that means nothing would only be an entry in a log.
        settings()
        passed = {name: value for name, value in os.environ.items() if name.startswith(("PIPEPROOF_KINESIS_", "PIPEPROOF_LAMBDA_"))}
        lifeline = {} if self.stays else {"PIPEPROOF_LIFELINE_FD": "0"}
        return {
            **passed,
            **lifeline,
            "GATEWAY_LISTEN": f"0.0.0.0:{port}",
            "LOCALSTACK_HOST": f"127.0.0.1:{port}",
            **tokens.settings_inside(port, self._origins),
        }

    def _follow(self) -> None:
        """Copies the container's output to the log until it ends."""

        def copy() -> None:
            from requests.exceptions import RequestException  # noqa: PLC0415

            with self._log.open("ab", buffering=0) as log, contextlib.suppress(RequestException, OSError):
                for part in self._client.api.attach(self._name, stream=True, logs=True):
                    log.write(part)

        self._follower = threading.Thread(target=copy, name="container-log", daemon=True)
        self._follower.start()

    def _wait_for_log(self) -> None:
        if self._follower is not None:
            self._follower.join(_LOG_ENDS_WITHIN_S)


def sweep(client: DockerClient) -> list[str]:
    """Removes the containers and networks whose owner is gone; returns their names. Those of other machines, of other process
    namespaces, and those that `up` left on purpose stay."""
    found = [
        *client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True),
        *client.networks.list(filters={"label": LABEL}),
    ]
    # Asked for last: `up` renames its containers, and ends. What the lists before have by its first name stays by its second one.
    named = {c.name for c in client.containers.list(all=True, filters={"name": f"^{STAYS}"}, ignore_removed=True)}
    # A door stays with its emulator: both are renamed, one after the other.
    up = {name for name in named if not name.endswith(_door(""))}
    stay = up | {_door(name) for name in up}
    kept = {NAME + name.removeprefix(STAYS) for name in stay}
    orphans = sorted({f.name for f in found if f.name not in kept and f.name not in stay and _is_orphan(labels_of(f))})
    _remove(client, orphans, orphans)
    return orphans


def stop_detached(name: str, network: str) -> bool:
    """Removes a container that stayed, its door and their networks; False where the container is gone already."""
    return _remove(connect(), [name, _door(name)], [network, _door(network)])


def runs(name: str) -> bool:
    """Returns whether a container that stayed is still there."""
    return bool(connect().containers.list(filters={"name": f"^{name}$"}))


def _door(name: str) -> str:
    """Returns the name of the container, and of the network, through which the emulator of this name is reached."""
    return f"{name}-door"


def _remove(client: DockerClient, containers: Sequence[str], networks: Sequence[str]) -> bool:
    """Removes containers, then networks, as far as they exist. Returns whether the first container existed."""
    from docker.errors import APIError  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    existed = []
    for name in containers:
        try:
            client.api.remove_container(name, force=True, v=True)
        except (APIError, RequestException):
            existed.append(False)
        else:
            existed.append(True)
    for name in networks:
        with contextlib.suppress(APIError, RequestException):
            client.api.remove_network(name)
    return existed[:1] == [True]


def _owner_label() -> str:
    return json.dumps({**asdict(Owner.of(os.getpid())), "where": _where()})


def _is_orphan(labels: dict[str, str]) -> bool:
    try:
        label = json.loads(labels[LABEL])
        where = label.pop("where")
        return where == _where() and not Owner.read(label).alive
    except MISTYPED:
        return False


def _where() -> str:
    """Returns where process ids mean the same: the machine, and on Linux the process namespace."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}"


def labels_of(thing: Any) -> dict[str, str]:
    """Returns the labels of a container or a network of the SDK."""
    labels: dict[str, str] | None = thing.attrs.get("Labels") or thing.attrs.get("Config", {}).get("Labels")
    return labels or {}
