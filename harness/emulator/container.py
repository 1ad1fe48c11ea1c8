"""LocalStack in a Docker container: our image, no privilege, published on loopback only.

It listens on the same port inside as outside, so that a URL that LocalStack hands out (of a queue, of an API) is right on both sides.
Its standard input is held by the harness: when that ends, however it ends, the container ends (see harness/inside/__main__.py). What
is then left of it, the next start removes.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.documents import MISTYPED
from harness.emulator import image, tokens
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
_NAME = "pipeproof-"
_STAYS = "pipeproof-up-"
_ATTEMPTS = 5
_LOG_ENDS_WITHIN_S = 5


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
        self._name = f"{_NAME}{uuid.uuid4().hex[:12]}"
        self._container: DockerContainer | None = None
        self._network = False
        self._lifeline: Any = None
        self._follower: threading.Thread | None = None

    def prepare(self) -> Iterator[str]:
        """Removes what killed runs left, and builds the image where the engine lacks it."""
        sweep(self._client)
        tokens.sweep()
        yield from image.build(self._client)

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
        return Description("container", "localstack", health.version, endpoint, health.python_runtime)

    def check(self) -> None:
        """Raises EmulatorDiedError, with the reason and the last lines of the log, where the container no longer runs."""
        if self._container is None:
            return
        from docker.errors import NotFound  # noqa: PLC0415
        from requests.exceptions import RequestException  # noqa: PLC0415 - comes with the SDK

        named = f"the container emulator (LocalStack, container {self._name})"
        try:
            state = self._client.api.inspect_container(self._name)["State"]
        except NotFound as error:
            message = f"{named} was removed{last_lines(self._log)}"
            raise EmulatorDiedError(message) from error
        except RequestException as error:
            message = f"the Docker engine that runs {named} no longer answers ({type(error).__name__})"
            raise EmulatorDiedError(message) from error
        if state["Running"]:
            return
        if state["OOMKilled"]:
            how = f"was killed: it needed more than its {self._memory} of memory (PIPEPROOF_CONTAINER_MEMORY)"
        elif state["ExitCode"] == 137:
            how = "was killed (SIGKILL)"
        else:
            how = f"exited with status {state['ExitCode']}"
        self._wait_for_log()
        message = f"{named} {how}{last_lines(self._log)}"
        raise EmulatorDiedError(message)

    def stop(self) -> None:
        """Removes the container and its network. Does nothing the second time."""
        if self._container is not None:
            # Removes the container by its id, since `let_go` may have renamed it.
            _remove(self._client, str(self._container.id), self._name)
            self._wait_for_log()
            self._container = None
        elif self._network:
            _remove(self._client, self._name)
        self._network = False
        if self._token_of is not None:
            tokens.remove(self._token_of)
            self._token_of = None
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def let_go(self) -> dict[str, Any]:
        """See Detachable."""
        assert self._container is not None
        name = f"{_STAYS}{self._name.removeprefix(_NAME)}"
        self._container.rename(name)
        return {"kind": "container", "name": name, "network": self._name}

    def _run(self) -> int:
        """Creates and starts the container; returns its port. A free port may be gone by the time that the engine binds it."""
        from docker.errors import APIError  # noqa: PLC0415

        for attempt in range(1, _ATTEMPTS + 1):
            port = free_port() if self._port is None else wanted_port(self._port)
            labels = {LABEL: _owner_label()}
            self._token_of = port
            self._network = True
            self._client.networks.create(
                # A separate network without masquerading: the container reaches no other machine.
                self._name, driver="bridge", labels=labels, options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
            )  # fmt: skip
            self._container = self._client.containers.create(
                image.tag(), name=self._name, labels=labels, network=self._name, environment=self._environment(port),
                ports={f"{port}/tcp": ("127.0.0.1", port)}, init=True, stdin_open=not self.stays,
                cap_drop=["ALL"], security_opt=["no-new-privileges"], read_only=True,
                tmpfs={"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={_FILES}"},  # noqa: S108 - of the container
                mem_limit=self._memory, memswap_limit=self._memory, pids_limit=PIDS,
            )  # fmt: skip
            if not self.stays:
                self._lifeline = self._client.api.attach_socket(self._name, params={"stdin": 1, "stream": 1})
            try:
                self._container.start()
            except APIError as error:
                taken = "address already in use" in str(error) or "port is already allocated" in str(error)
                if not taken or attempt == _ATTEMPTS:
                    raise
                self.stop()
            else:
                return port
        raise AssertionError

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
    stay = {c.name: c for c in client.containers.list(all=True, filters={"name": f"^{_STAYS}"})}
    kept = {_NAME + name.removeprefix(_STAYS) for name in stay}
    found = [
        *client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True),
        *client.networks.list(filters={"label": LABEL}),
    ]
    orphans = {f.name for f in found if f.name not in kept and f.name not in stay and _is_orphan(labels_of(f))}
    for name in orphans:
        _remove(client, name)
    return sorted(orphans)


def stop_detached(name: str, network: str) -> bool:
    """Removes a container that stayed, and its network; False where the container is gone already."""
    return _remove(connect(), name, network)


def runs(name: str) -> bool:
    """Returns whether a container that stayed is still there."""
    return bool(connect().containers.list(filters={"name": f"^{name}$"}))


def _remove(client: DockerClient, name: str, network: str | None = None) -> bool:
    """Removes the container and its network, as far as they exist. Returns whether the container existed."""
    from docker.errors import APIError  # noqa: PLC0415
    from requests.exceptions import RequestException  # noqa: PLC0415

    was_there = True
    try:
        client.api.remove_container(name, force=True, v=True)
    except (APIError, RequestException):
        was_there = False
    with contextlib.suppress(APIError, RequestException):
        client.api.remove_network(network or name)
    return was_there


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
