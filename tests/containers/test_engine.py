"""The engine: how containers are made, how they end, and what its failures say."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
import requests
from docker.errors import (
    APIError,
    ContainerError,
    DockerException,
    ImageNotFound,
    NotFound,
)

from crosspi.cancel import Cancel
from crosspi.containers.engine import LABEL, Engine
from crosspi.containers.job import Job, Mount
from crosspi.containers.owners import Owner
from crosspi.containers.users import container_user
from crosspi.errors import (
    ArchiveError,
    BuildError,
    DiskFullError,
    EngineError,
    HostError,
    Interrupted,
)


class FakeContainer:
    """Stands in for a container of the SDK."""

    id = "0123abcd"

    def __init__(self, output: list[bytes], code: int = 0, labels: Mapping[str, str] = {}) -> None:
        self.output = output
        self.code = code
        self.labels = labels
        self.removed = 0
        self.killed = 0
        self.dead = threading.Event()
        self.archives: dict[str, bytes] = {}
        self.fails: BaseException | None = None
        self.attrs: dict[str, Any] = {}

    def start(self) -> None:
        if isinstance(self.fails, APIError):
            raise self.fails

    def logs(self, *, stream: bool, follow: bool) -> Iterator[bytes]:
        assert stream
        assert follow
        yield from self.output
        if self.fails:
            raise self.fails

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self.code}

    def kill(self) -> None:
        self.killed += 1
        self.dead.set()

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.removed += 1

    def get_archive(self, path: str) -> tuple[Iterator[bytes], dict[str, Any]]:
        if path not in self.archives:
            raise NotFound("no such path")
        return iter([self.archives[path]]), {}


class FakeClient:
    """Stands in for the SDK's client; it is its own `containers`, `images` and `api`."""

    def __init__(self, container: FakeContainer | None = None) -> None:
        self.container = container or FakeContainer([])
        self.created: list[dict[str, Any]] = []
        self.listed: list[FakeContainer] = []
        self.events: list[dict[str, Any]] = []
        self.built: dict[str, Any] = {}
        self.tags: list[tuple[str, str]] = []
        self.fails: Exception | None = None

    @property
    def containers(self) -> FakeClient:
        return self

    images = api = containers

    def create(self, image: str, argv: list[str], **options: Any) -> FakeContainer:
        if self.fails:
            raise self.fails
        self.created.append({"image": image, "argv": argv, **options})
        return self.container

    def run(self, *_: Any, **__: Any) -> bytes:
        if self.fails:
            raise self.fails
        return b"output"

    def list(self, **_: Any) -> list[FakeContainer]:
        return self.listed

    def build(self, **options: Any) -> Iterator[dict[str, Any]]:
        self.built = options
        yield from self.events

    def pull(self, *_: Any, **__: Any) -> None:
        if self.fails:
            raise self.fails

    def get(self, image: str) -> Any:
        if self.fails:
            raise self.fails
        outer = self

        class Found:
            attrs = {"Architecture": "arm"}

            def tag(self, tag: str) -> None:
                outer.tags.append((image, tag))

        return Found()


def engine(client: FakeClient) -> Engine:
    return Engine(cast(docker.DockerClient, client))


def run(client: FakeClient, folder: Path, job: Job | None = None) -> tuple[int, list[str]]:
    lines: list[str] = []
    job = job or Job("image:1", ["program", "argument"])
    code = engine(client).run(job, log=folder / "log", line=lines.append)
    return code, lines


# --- connecting -----------------------------------------------------------------------------------


def test_no_engine_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    where = f"unix://{tmp_path}/absent.sock"
    monkeypatch.setenv("DOCKER_HOST", where)
    with pytest.raises(EngineError, match="no Docker engine answers") as caught:
        Engine.connect()
    assert caught.value.exit_code == 6
    assert caught.value.where == where
    assert "./inv" in caught.value.fix


@pytest.mark.parametrize(
    "error",
    [
        DockerException(
            "Error while fetching server API version: ('Connection aborted.', "
            "PermissionError(13, 'Permission denied'))"
        ),
        PermissionError(13, "Permission denied"),
    ],
)
def test_no_permission_on_the_socket(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(**_: Any) -> None:
        raise error

    monkeypatch.setattr(docker, "DockerClient", refuse)
    with pytest.raises(EngineError, match="may not talk to the Docker engine") as caught:
        Engine.connect()
    assert "group docker" in caught.value.fix


def test_a_rootless_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where DOCKER_HOST names it: a build there would fail late."""
    client = SimpleNamespace(ping=lambda: True, info=lambda: {"SecurityOptions": ["name=rootless"]})
    monkeypatch.setattr(docker, "DockerClient", lambda **_: client)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/user/1000/docker.sock")
    with pytest.raises(EngineError, match="rootless") as caught:
        Engine.connect()
    assert "may not write" in caught.value.why and "unset DOCKER_HOST" in caught.value.fix


def test_a_host_name_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "nonsense://x")
    with pytest.raises(EngineError):
        Engine.connect()


# --- running --------------------------------------------------------------------------------------


def test_a_container_has_no_network_no_capabilities_and_no_root(tmp_path: Path) -> None:
    client = FakeClient()
    run(client, tmp_path)
    (created,) = client.created
    assert created["network_mode"] == "none"
    assert created["cap_drop"] == ["ALL"]
    assert created["security_opt"] == ["no-new-privileges"]
    assert created["user"] == "{}:{}".format(*container_user())
    assert not created["user"].startswith("0:")
    assert "privileged" not in created
    assert created["labels"] == {LABEL: str(Owner.of(os.getpid()))}


@pytest.mark.parametrize(("uid", "user"), [(0, 1000), (1234, 1234)])
def test_jobs_run_as_the_caller_but_never_as_root(
    monkeypatch: pytest.MonkeyPatch, uid: int, user: int
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: uid)
    assert container_user() == (user, user)


def test_mounts_are_read_only_unless_they_say_otherwise(tmp_path: Path) -> None:
    client = FakeClient()
    mounts = [Mount(Path("/a"), "/src"), Mount(Path("/b"), "/out", writable=True)]
    run(client, tmp_path, Job("i", ["x"], mounts=mounts, tmpfs=["/t"], workdir="/out"))
    (created,) = client.created
    assert [(m["Source"], m["Target"], m["ReadOnly"]) for m in created["mounts"]] == [
        ("/a", "/src", True),
        ("/b", "/out", False),
    ]
    assert list(created["tmpfs"]) == ["/t"]
    assert created["working_dir"] == "/out"


def test_the_exit_code_and_the_lines_come_back(tmp_path: Path) -> None:
    container = FakeContainer([b"one\ntw", b"o\r\n\n", b"\xff!\nlast"], code=3)
    code, lines = run(FakeClient(container), tmp_path)
    assert code == 3
    assert lines == ["one", "two", "\ufffd!", "last"]
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\r\n\n\xff!\nlast"
    assert container.removed == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interruption_removes_the_container(tmp_path: Path, interruption: BaseException) -> None:
    container = FakeContainer([b"line\n"])
    container.fails = interruption
    with pytest.raises(type(interruption)):
        run(FakeClient(container), tmp_path)
    assert container.removed == 1


def test_the_engines_full_disk_is_told_as_one(tmp_path: Path) -> None:
    error = APIError("500 Server Error", explanation="no space left on device")
    container = FakeContainer([])
    container.fails = error
    with pytest.raises(DiskFullError):
        run(FakeClient(container), tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.ConnectionError("Connection aborted."),
        requests.exceptions.ChunkedEncodingError("Connection broken"),
        APIError("500 Server Error", explanation="driver failed"),
        NotFound("404: no such container"),
    ],
)
def test_an_engine_that_dies_is_one_message(tmp_path: Path, error: Exception) -> None:
    container = FakeContainer([b"line\n"])
    container.fails = error
    with pytest.raises(EngineError, match="the Docker engine failed") as caught:
        run(FakeClient(container), tmp_path)
    assert "finished steps are kept" in caught.value.fix
    assert container.removed == 1


def test_an_image_that_is_gone_is_one_message(tmp_path: Path) -> None:
    client = FakeClient()
    client.fails = ImageNotFound("404", explanation="No such image: image:1")
    with pytest.raises(EngineError) as caught:
        run(client, tmp_path)
    assert "No such image: image:1" in caught.value.why


def test_a_job_that_is_too_long_is_killed(tmp_path: Path) -> None:
    class Slow(FakeContainer):
        """Ends only when it is killed."""

        def wait(self) -> dict[str, int]:
            assert self.dead.wait(60)
            return {"StatusCode": 137}

    container = Slow([b"line\n"])
    job = Job("i", ["x"])
    with pytest.raises(TimeoutError):
        engine(FakeClient(container)).run(
            job, log=tmp_path / "log", line=lambda _: None, timeout=0.001
        )
    assert container.killed == 1
    assert container.removed == 1


def test_a_job_is_killed_when_the_run_is_ended_from_outside(tmp_path: Path) -> None:
    cancel = Cancel()

    class Slow(FakeContainer):
        """Ends only when it is killed."""

        def wait(self) -> dict[str, int]:
            cancel.set()
            assert self.dead.wait(60)
            return {"StatusCode": 137}

    container = Slow([b"line\n"])
    with pytest.raises(Interrupted):
        engine(FakeClient(container)).run(
            Job("i", ["x"]), log=tmp_path / "log", line=lambda _: None, cancel=cancel
        )
    assert (container.killed, container.removed) == (1, 1)


# --- what is left behind --------------------------------------------------------------------------


def dead() -> Owner:
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    process.communicate()
    return owner


LONG_AGO = "2020-01-01T00:00:00.123456789Z"
NEVER = "0001-01-01T00:00:00Z"


def test_containers_of_dead_runs_are_removed() -> None:
    client = FakeClient()
    mine = Owner.of(os.getpid())
    elsewhere = replace(dead(), boot="another machine")
    others = [elsewhere, replace(dead(), namespace="another container"), "host:1", "image", mine]
    client.listed = [FakeContainer([], labels={LABEL: str(label)}) for label in (dead(), *others)]
    assert engine(client).remove_stale() == 1
    assert [c.removed for c in client.listed] == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("state", "created", "goes"),
    [
        ({"Running": True, "FinishedAt": NEVER}, LONG_AGO, False),
        ({"Running": False, "FinishedAt": LONG_AGO}, LONG_AGO, True),
        ({"Running": False, "FinishedAt": NEVER}, LONG_AGO, True),
        ({"Running": False, "FinishedAt": "2999-01-01T00:00:00Z"}, LONG_AGO, False),
        ({"Running": False}, "", False),
        ({}, LONG_AGO, False),
    ],
)
def test_what_nobody_can_vouch_for_goes_when_it_does_not_run(
    state: dict[str, Any], created: str, goes: bool
) -> None:
    client = FakeClient()
    left = FakeContainer([], labels={LABEL: str(replace(dead(), boot="another machine"))})
    left.attrs = {"State": state, "Created": created}
    client.listed = [left]
    assert engine(client).remove_stale() == goes
    assert left.removed == goes


# --- images ---------------------------------------------------------------------------------------


def build(client: FakeClient, root: Path) -> list[str]:
    context = root / "context"
    context.mkdir(exist_ok=True)
    (context / "Dockerfile").write_text("FROM base\n")
    (root / "tool.whl").write_text("wheel")
    lines: list[str] = []
    engine(client).build_image(
        "crosspi/toy:1",
        context,
        arguments={"A": "1"},
        files={"wheels/tool.whl": root / "tool.whl"},
        platform="linux/arm/v7",
        log=root / "log",
        line=lines.append,
    )
    return lines


def test_an_image_gets_its_tag_when_it_is_whole(tmp_path: Path) -> None:
    client = FakeClient()
    client.events = [{"stream": "Step 1\n\nstep 2\n"}, {"aux": {"ID": "sha256:1"}}]
    assert build(client, tmp_path) == ["Step 1", "step 2"]
    assert client.tags == [("sha256:1", "crosspi/toy:1")]
    assert client.built["platform"] == "linux/arm/v7"
    assert client.built["buildargs"] == {"A": "1"}


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("E: Unable to locate package cmake", HostError),
        ("E: Failed to fetch http://x/y.deb  404  Not Found", HostError),
        ("  Temporary failure resolving 'mirror'", HostError),
        ("exec /bin/sh: exec format error", HostError),
        ("tar: write error: No space left on device", DiskFullError),
        ("E: Sub-process /usr/bin/dpkg returned an error code (1)", BuildError),
        ("CMake Error: no", BuildError),
    ],
)
def test_a_failed_image_tells_in_its_tools_words_whose_fault_it_is(
    tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    client = FakeClient()
    going_on = [{"stream": f"line {number}\n"} for number in range(100)]
    client.events = [{"stream": said + "\n"}, *going_on[:10], {"error": "non-zero code: 100"}]
    with pytest.raises(kind) as caught:
        build(client, tmp_path)
    assert type(caught.value) is kind
    if kind is not DiskFullError:
        assert said in getattr(caught.value, "why", "")
        assert str(tmp_path / "log") in getattr(caught.value, "fix", "")


def test_a_failed_program_of_an_image_is_not_the_engines_fault() -> None:
    client = FakeClient()
    client.fails = ContainerError(cast(Any, None), 100, ["apt-get"], "i", b"E: broken list")
    with pytest.raises(HostError, match="exit code 100") as caught:
        engine(client).read_output("i", ["apt-get", "indextargets"])
    assert caught.value.why == "E: broken list"
    assert caught.value.where == "apt-get indextargets"


def test_a_failed_image_has_no_tag_and_names_its_log(tmp_path: Path) -> None:
    client = FakeClient()
    client.events = [{"stream": "RUN x\n"}, {"error": "returned a non-zero code: 100"}]
    with pytest.raises(BuildError, match="could not be built") as caught:
        build(client, tmp_path)
    assert caught.value.why.splitlines()[-1] == "returned a non-zero code: 100"
    assert str(tmp_path / "log") in caught.value.fix
    assert client.tags == []
    assert "non-zero code" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "events",
    [
        [
            {"stream": "E: You don't have enough free space in /var/cache/apt/archives/.\n"},
            {"error": "returned a non-zero code: 100"},
        ],
        [{"error": "write /x: no space left on device"}],
    ],
)
def test_an_image_for_which_there_is_no_room(tmp_path: Path, events: list[Any]) -> None:
    """It said to look at the network, where apt in the image had said what was wrong."""
    client = FakeClient()
    client.events = events
    with pytest.raises(DiskFullError, match="no space left") as caught:
        build(client, tmp_path)
    assert "engine" in caught.value.where and "data-root" in caught.value.fix
    assert client.tags == []


def test_the_build_context_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    contexts = []
    for name in ("one", "two"):
        client = FakeClient()
        client.events = [{"aux": {"ID": "sha256:1"}}]
        (tmp_path / name).mkdir()
        build(client, tmp_path / name)
        os.utime(tmp_path / name / "tool.whl", (1, 1))
        contexts.append(client.built["fileobj"].getvalue())
    assert contexts[0] == contexts[1]
    with tarfile.open(fileobj=io.BytesIO(contexts[0])) as tar:
        assert tar.getnames() == ["Dockerfile", "wheels/tool.whl"]


def test_the_architecture_of_an_image() -> None:
    client = FakeClient()
    assert engine(client).image_architecture("i") == "arm"
    client.fails = ImageNotFound("404")
    assert engine(client).image_architecture("i") is None
    client.fails = APIError("500")
    with pytest.raises(EngineError):
        engine(client).image_architecture("i")


class Images(FakeClient):
    """Images by name, and a registry with one more."""

    def __init__(self, **images: str) -> None:
        super().__init__()
        self.named = {"debian:bookworm-slim": images["mine"]} if images else {}
        self.nameless = set(images.values())

    def get(self, image: str) -> Any:
        found = self.named.get(image, image if image in self.nameless else "")
        if not found:
            raise ImageNotFound("404")
        outer = self

        class Found:
            id = found

            def tag(self, tag: str) -> None:
                outer.named[tag] = found

        return Found()

    def pull(self, name: str, *, tag: str, platform: str) -> None:
        if self.fails:
            raise self.fails
        self.named[f"{name}:{tag}"] = f"sha256:{platform}"

    def remove(self, name: str, *, noprune: bool) -> None:
        assert noprune
        del self.named[name]


def pull(client: FakeClient) -> str:
    return engine(client).pull("debian", "bookworm-slim", platform="linux/arm", into="ours:1")


def test_a_pulled_image_gets_our_name_and_leaves_no_other() -> None:
    client = Images()
    assert pull(client) == ""
    assert client.named == {"ours:1": "sha256:linux/arm"}


def test_a_pull_leaves_the_users_own_image_its_name() -> None:
    client = Images(mine="sha256:host")
    assert pull(client) == ""
    assert client.named == {"ours:1": "sha256:linux/arm", "debian:bookworm-slim": "sha256:host"}


@pytest.mark.parametrize(
    "said",
    [
        "Get https://registry/v2/: dial tcp: lookup registry: no such host",
        "toomanyrequests: You have reached your pull rate limit",
        "denied: requested access to the resource is denied",
        "manifest unknown",
    ],
)
def test_why_an_image_could_not_be_pulled_is_told(said: str) -> None:
    client = Images()
    client.fails = APIError("500", explanation=said)
    assert pull(client) == said
    client.fails = requests.exceptions.ReadTimeout("read timed out")
    assert pull(client) == "read timed out"


def test_a_disk_that_is_full_is_no_registry_that_does_not_answer() -> None:
    client = Images()
    client.fails = APIError("500", explanation="write /var/lib/x: no space left on device")
    with pytest.raises(DiskFullError):
        pull(client)


def test_a_file_of_an_image_is_read_without_running_it() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("status")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    client = FakeClient()
    client.container.archives = {"/var/lib/dpkg/status": archive.getvalue()}
    assert engine(client).read_file("i", "/var/lib/dpkg/status") == b"x"
    assert engine(client).read_file("i", "/absent") is None
    assert client.container.removed == 2
    assert [c["labels"] for c in client.created] == 2 * [{LABEL: str(Owner.of(os.getpid()))}]


def test_folders_are_copied_out_of_an_image(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("python/include/x.h")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    client = FakeClient()
    client.container.archives = {"/opt/python": archive.getvalue()}
    engine(client).copy_out("i", {"/opt/python": "python", "/absent": "absent"}, tmp_path)
    assert (tmp_path / "python" / "include" / "x.h").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["python"]
    assert client.container.removed == 1


@pytest.mark.parametrize("name", ["python/include/pyconfig.h", "python/link"])
def test_what_leads_out_of_an_image_is_not_copied(tmp_path: Path, name: str) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("python/include/x.h"))
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, "/root/.ssh/id_rsa"
        tar.addfile(info)
    client = FakeClient()
    client.container.archives = {"/opt/python": archive.getvalue()}
    with pytest.raises(ArchiveError, match="refused"):
        engine(client).copy_out("i", {"/opt/python": "python"}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert client.container.removed == 1
    if name == "python/link":  # unless it is said to stay there
        engine(client).copy_out("i", {"/opt/python": "python"}, tmp_path, without=["link"])
        assert [path.name for path in (tmp_path / "python").iterdir()] == ["include"]


def test_a_shell_needs_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    client = FakeClient()
    with pytest.raises(EngineError, match="docker program is not installed"):
        engine(client).shell(Job("i", ["bash"]))
    assert client.created == []


@pytest.fixture
def docker_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A program that notes what it was called with."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$DOCKER_HOST" "$DOCKER_CONTEXT" "$@" >{tmp_path}/called\nexit 3\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path / "called"


@pytest.mark.usefixtures("docker_program")
def test_a_shell_is_the_same_container_as_a_job(tmp_path: Path) -> None:
    """All but that somebody types: nothing is said twice, so nothing can differ."""
    mounts = [Mount(tmp_path / "none", "/src")]
    job = Job("i", ["bash"], mounts=mounts, tmpfs=["/x"], environment={"A": "b"})
    shell, run = FakeClient(), FakeClient()
    engine(shell).shell(job)
    engine(run).run(job, log=tmp_path / "log", line=lambda _: None)
    (one,), (other,) = shell.created, run.created
    differs = {key for key in one | other if one.get(key) != other.get(key)}
    assert differs <= {"tty", "stdin_open"}
    assert one["stdin_open"] and not other["stdin_open"] and not other["tty"]
    assert one["security_opt"] == ["no-new-privileges"]
    assert one["init"] is True


def test_a_shell_uses_the_engine_that_was_found_and_leaves_nothing(
    docker_program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://other")
    monkeypatch.setenv("DOCKER_CONTEXT", "other")
    client = FakeClient()
    found = Engine(cast(docker.DockerClient, client), "unix:///found.sock")
    assert found.shell(Job("i", ["bash"])) == 3
    assert docker_program.read_text().split() == [
        "unix:///found.sock",
        *("start", "--attach", "--interactive", client.container.id),
    ]
    assert client.container.removed == 1


def test_what_the_containers_user_cannot_read_is_mounted_as_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosspi.containers.users.container_user", lambda: (4711, 4711))
    for name in ("closed", "open", "out"):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "open").chmod(0o755)
    mounts = [
        Mount(tmp_path / "closed", "/closed"),
        Mount(tmp_path / "open", "/open"),
        Mount(tmp_path / "out", "/out", writable=True),
        Mount(tmp_path / "none", "/none"),
    ]
    client = FakeClient()
    seen: dict[str, str] = {}

    def start() -> None:
        for mount in client.created[0]["mounts"]:
            seen[mount["Target"]] = mount["Source"]
        copy = Path(seen["/closed"])
        assert (copy / "file").read_text() == "closed"
        assert copy.stat().st_mode & 0o005 == 0o005

    monkeypatch.setattr(client.container, "start", start)
    run(client, tmp_path, Job("i", ["x"], mounts=mounts))
    assert not Path(seen["/closed"]).exists()
    assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700
    assert [seen[f"/{name}"] for name in ("open", "out", "none")] == [
        str(tmp_path / name) for name in ("open", "out", "none")
    ]
