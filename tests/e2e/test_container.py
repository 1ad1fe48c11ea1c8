"""The emulator in a container: bounded, without privilege, reachable from this machine only; and what is said where it cannot be had."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest
from docker.models.networks import NetworkCollection

from harness.emulator import container, image
from harness.emulator.container import sweep
from harness.emulator.docker_engine import connect
from harness.emulator.owner import Owner
from harness.errors import UsageError
from tests.conformance.functions import wait_until
from tests.e2e.commands import (
    REAL_LOG,
    ROOT,
    containers,
    environment,
    in_container,
    leftovers,
    pipeproof,
    start,
)


def compose_command():
    """The plugin of newer clients, else the program of its own."""
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


COMPOSE = compose_command()


def one_container(cwd):
    return next((c for c in containers(cwd) if hasattr(c, "kill") and not c.name.endswith("-door")), None)


@pytest.fixture
def running(emulator):
    """The container that the tests share, as the engine sees it."""
    engine = connect()
    (door,) = engine.containers.list(filters={"publish": urlsplit(emulator.endpoint).port})
    return {"door": door.attrs, "emulator": engine.api.inspect_container(door.name.removesuffix("-door"))}


@in_container
@pytest.mark.parametrize("which", ["emulator", "door"])
def test_the_containers_have_no_privilege_and_are_bounded(running, which):
    one = running[which]
    host, config = one["HostConfig"], one["Config"]
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert not any("unconfined" in option for option in host["SecurityOpt"])
    assert host["ReadonlyRootfs"] is True
    assert host["NetworkMode"] not in {"host", "default", "bridge"}
    assert host["PidMode"] == ""
    assert host["Memory"] == host["MemorySwap"] == {"emulator": 4 << 30, "door": 256 << 20}[which]
    assert host["PidsLimit"] == {"emulator": 4096, "door": 64}[which]
    assert which == "door" or 0 < host["NanoCpus"] <= 4e9
    assert one["Mounts"] == []
    assert not host["Binds"], "no Docker socket, nor anything else of the host"
    assert not host["Devices"]
    assert set(host.get("Tmpfs") or ()) == ({"/tmp"} if which == "emulator" else set())
    assert config["User"] == "emulator"
    bindings = [b for of_port in one["NetworkSettings"]["Ports"].values() for b in of_port or ()]
    assert [b["HostIp"] for b in bindings] == (["127.0.0.1"] if which == "door" else [])


OUTWARD = """
import socket
def reached(hosts, port):
    found = []
    for host in hosts:
        with socket.socket(type=socket.SOCK_DGRAM) as datagram:
            try:
                datagram.sendto(b"out", (host, port))
            except OSError:
                pass
        with socket.socket() as stream:
            stream.settimeout(4)
            try:
                stream.connect((host, port))
                found.append(host)
            except OSError:
                pass
    return found
"""


@contextlib.contextmanager
def nothing_comes_in():
    """Listens on all addresses of this machine, by TCP and UDP; yields the port."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("0.0.0.0", 0))
        tcp.listen()
        port = tcp.getsockname()[1]
        udp.bind(("0.0.0.0", port))
        yield port
        udp.settimeout(0)
        with pytest.raises(BlockingIOError):
            udp.recv(10)


@in_container
def test_functions_reach_nothing_outside_of_the_container(running, functions):
    """Neither the world nor this machine, which listens on all its addresses."""
    (name,) = running["emulator"]["NetworkSettings"]["Networks"]
    network = connect().networks.get(name)
    assert network.attrs["Internal"] is True
    gateways = [
        network.attrs["IPAM"]["Config"][0]["Gateway"],
        running["door"]["NetworkSettings"]["Networks"][f"{name}-door"]["Gateway"],
    ]
    with nothing_comes_in() as port:
        functions.create(
            "outward", f"{OUTWARD}\ndef handler(event, context):\n    return reached({gateways!r}, {port})\n", Timeout=30
        )
        assert functions.invoke("outward")[1] == []


@pytest.fixture
def plain_image():
    """The image without Node.js: the tests share an emulator of the other one."""
    for _ in image.build(connect()):
        pass
    return image.tag()


@in_container
def test_no_program_of_the_image_runs_as_another_user(plain_image):
    command = ["find", "/", "-xdev", "-type", "f", "-perm", "/6000"]
    found = connect().containers.run(plain_image, entrypoint=command, user="root", network_mode="none", remove=True)
    assert found == b""


@in_container
def test_the_image_says_what_it_is_of_and_is_not_large(plain_image):
    attributes = connect().images.get(plain_image).attrs
    labels = attributes["Config"]["Labels"]
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", labels["org.opencontainers.image.version"])
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|unknown", labels["org.opencontainers.image.revision"])
    assert attributes["Config"]["Healthcheck"]["Test"][0] == "CMD"
    assert attributes["Size"] < 600_000_000


@in_container
def test_two_runs_at_once_do_not_disturb_each_other(tmp_path):
    both = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        both.append((tmp_path / name, start(tmp_path / name, "run", "clickstream-smoke", "--records", 400)))
    for cwd, process in both:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output
        assert json.loads((cwd / "runs" / "latest" / "result.json").read_text())["ingress"]["offered"] == 400
        assert leftovers(cwd) == []


@in_container
@pytest.mark.skipif(not REAL_LOG.exists(), reason="the real access log is not beside the checkout (../shared/data)")
def test_a_replay_of_the_real_requests_counts_the_same_as_embedded(tmp_path):
    results = {}
    for kind in ("embedded", "container"):
        (tmp_path / kind).mkdir()
        args = ("run", "clickstream-replay", "--input", REAL_LOG)
        code, output, results[kind] = pipeproof(tmp_path / kind, *args, PIPEPROOF_EMULATOR=kind)
        assert code == 0, output
        assert results[kind]["emulator"].pop("kind") == kind
        # Times and names; all else must be equal.
        for name in ("timing", "started_at", "command"):
            del results[kind][name]
        for name in ("version", "endpoint"):
            del results[kind]["emulator"][name]
    assert results["embedded"] == results["container"]
    assert results["container"]["outcome"]["stored"] == 9_999


@in_container
def test_a_container_that_runs_out_of_memory_says_so(tmp_path):
    code, output, result = pipeproof(tmp_path, "run", "clickstream-smoke", PIPEPROOF_CONTAINER_MEMORY="48m")
    assert code == 2, output
    assert result["verdict"] == "unknown"
    assert "PIPEPROOF_CONTAINER_MEMORY" in result["reasons"][0]
    assert "48m" in result["reasons"][0]
    assert leftovers(tmp_path) == []


@in_container
def test_a_memory_size_that_the_engine_does_not_understand_is_a_usage_error(tmp_path):
    code, output, _ = pipeproof(tmp_path, "run", "clickstream-smoke", PIPEPROOF_CONTAINER_MEMORY="plenty")
    assert code == 64, output
    assert "PIPEPROOF_CONTAINER_MEMORY" in output
    assert leftovers(tmp_path) == []


@in_container
def test_a_container_removed_in_the_middle_is_unknown_and_named(tmp_path):
    process = start(tmp_path, "run", "clickstream-10k", "--records", 100_000)
    events = tmp_path / "runs" / "latest" / "events.jsonl"
    wait_until(lambda: events.is_file() and '"LoadProgress"' in events.read_text(), "the load to begin", 120)
    victim = one_container(tmp_path)
    victim.remove(force=True)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    reason = json.loads((tmp_path / "runs" / "latest" / "result.json").read_text())["reasons"][0]
    # The engine kills before it removes; whichever the harness saw first.
    assert re.search(rf"container {victim.name}\) was (removed|killed)", reason)
    assert leftovers(tmp_path) == []


@in_container
def test_a_door_that_is_killed_is_unknown_and_named(tmp_path):
    process = start(tmp_path, "run", "clickstream-10k", "--records", 100_000)
    events = tmp_path / "runs" / "latest" / "events.jsonl"
    wait_until(lambda: events.is_file() and '"LoadProgress"' in events.read_text(), "the load to begin", 120)
    door = connect().containers.get(f"{one_container(tmp_path).name}-door")
    door.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    reason = json.loads((tmp_path / "runs" / "latest" / "result.json").read_text())["reasons"][0]
    assert f"the way to the container emulator (container {door.name}) was killed (SIGKILL)" in reason
    assert leftovers(tmp_path) == []


@in_container
def test_the_sweep_leaves_what_a_living_process_owns(running):
    swept = sweep(connect())
    assert not {one["Name"].lstrip("/") for one in running.values()} & set(swept)


@in_container
def test_a_sweep_leaves_what_up_renames_meanwhile(tmp_path, monkeypatch):
    """Its owner has ended when the sweep asks. Said to be of another machine, so that no other test sweeps it."""
    ended = subprocess.Popen(["true"])
    owner = Owner.of(ended.pid)
    ended.wait()
    monkeypatch.setattr(container, "_where", lambda: str(tmp_path))
    monkeypatch.setattr(container, "_owner_label", lambda: json.dumps({**asdict(owner), "where": str(tmp_path)}))
    emulator = container.Container(tmp_path / "emulator.log", stays=True)
    for _ in emulator.prepare():
        pass
    handles = []
    listed = NetworkCollection.list

    def list_and_rename(networks, *args, **kwargs):
        found = listed(networks, *args, **kwargs)
        handles.append(emulator.let_go())
        return found

    try:
        emulator.start()
        monkeypatch.setattr(NetworkCollection, "list", list_and_rename)
        assert sweep(connect()) == []
        assert container.runs(handles[0]["name"])
    finally:
        emulator.stop()


@in_container
@pytest.mark.skipif(COMPOSE is None, reason="neither docker compose nor docker-compose is installed")
def test_the_compose_file_gives_an_emulator_to_run_against(tmp_path, plain_image):
    """As a person would have it beside their own services; on a free port, as the usual one may be taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    image_of_compose = f"pipeproof-compose-test-{os.getpid()}"
    compose = [*COMPOSE, "--project-name", image_of_compose, "--file", str(ROOT / "docker" / "compose.yaml")]
    token = "of the compose file"
    of_token = hashlib.sha256(token.encode()).hexdigest()
    env = environment(tmp_path, PIPEPROOF_PORT=str(port), PIPEPROOF_IMAGE=plain_image, PIPEPROOF_TOKEN_SHA256=of_token)
    try:
        subprocess.run([*compose, "up", "--detach", "--no-build"], env=env, check=True, capture_output=True, timeout=240)
        engine = connect()

        def emulator():
            mine = [f"com.docker.compose.project={image_of_compose}", "com.docker.compose.service=pipeproof"]
            (one,) = engine.containers.list(filters={"label": mine})
            return one

        def health():
            return engine.api.inspect_container(emulator().id)["State"]["Health"]["Status"] == "healthy"

        wait_until(health, "the health check of the image", 60)
        networks = [engine.networks.get(f"{image_of_compose}_{name}") for name in ("inside", "door")]
        gateways = [network.attrs["IPAM"]["Config"][0]["Gateway"] for network in networks]
        with nothing_comes_in() as open_port:
            ask = f"{OUTWARD}\nprint(reached({gateways!r}, {open_port}))"
            reached = emulator().exec_run(["/opt/pipeproof/bin/python", "-c", ask]).output
        args = ("run", "clickstream-smoke", "--records", 300, "--emulator", f"http://127.0.0.1:{port}")
        without, output_without, _ = pipeproof(tmp_path, *args)
        code, output, result = pipeproof(tmp_path, *args, PIPEPROOF_TOKEN=token)
    finally:
        subprocess.run([*compose, "down", "--volumes"], env=env, check=False, capture_output=True, timeout=120)
    assert reached == b"[]\n"
    assert (without, "PIPEPROOF_TOKEN" in output_without) == (64, True), output_without
    assert code == 0, output
    assert result["emulator"]["kind"] == "external"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (
            "unix:///nowhere/docker.sock",
            ["no Docker engine answers at unix:///nowhere/docker.sock", "dockerd", "--emulator embedded"],
        ),
        ("tcp://192.0.2.1:2375", ["another machine", "--emulator embedded"]),
        ("tcp://127.0.0.1:1", ["no Docker engine answers at tcp://127.0.0.1:1"]),
    ],
)
def test_without_an_engine_a_container_cannot_be_had_and_the_remedy_is_said(tmp_path, host, said):
    code, output, _ = pipeproof(tmp_path, "run", "clickstream-smoke", "--emulator", "container", DOCKER_HOST=host)
    assert code == 64, output
    for part in said:
        assert part in output
    assert not (tmp_path / "runs").exists()


def test_without_an_engine_auto_is_embedded_and_says_why(tmp_path):
    code, output, result = pipeproof(
        tmp_path, "run", "clickstream-smoke", "--records", 100, "--emulator", "auto", DOCKER_HOST="unix:///nowhere/docker.sock"
    )
    assert code == 0, output
    assert "embedded LocalStack (auto: no Docker engine answers at unix:///nowhere/docker.sock)" in output
    assert result["emulator"]["kind"] == "embedded"


def test_an_engine_that_refuses_this_user_is_told_from_one_that_is_not_there(tmp_path, monkeypatch):
    if os.geteuid() != 0:
        pytest.skip("needs to be root, to stop being it")
    # Before this process stops being root: it may not read its own packages afterwards.
    for module in ("docker.context", "docker.errors"):
        importlib.import_module(module)
    place = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(place))
        engine.listen()
        place.chmod(0o600)
        for parent in list(place.parents)[:-1]:
            if parent.is_relative_to(tmp_path.parents[1]):
                parent.chmod(0o755)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
        os.seteuid(65534)
        try:
            with pytest.raises(UsageError, match=r"refuses this user.*group docker"):
                connect()
        finally:
            os.seteuid(0)
