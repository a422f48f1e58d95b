"""The container engine: Docker, or podman behind the same API. Images are made, jobs are run.

A job compiles or tests inside a container that has no network, no capabilities and no root; what
it may read or write is listed in the job.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import docker
import requests
from docker.errors import (
    APIError,
    ContainerError,
    DockerException,
    ImageNotFound,
    NotFound,
)
from docker.models.containers import Container

from crosspi.cancel import Cancel
from crosspi.containers.dockerfile import build_context, image_error
from crosspi.containers.host import ROOTFUL, ROOTLESS, engine_addresses, maps_users
from crosspi.containers.job import Job, creation
from crosspi.containers.output import Line, follow
from crosspi.containers.owners import Owner
from crosspi.containers.users import readable
from crosspi.errors import EngineError, HostError, engine_full, tells_disk_full
from crosspi.said import Said
from crosspi.sources.unpack import unpack

LABEL = "crosspi.owner"
#: How long a container of an owner that nobody can see stays when it does not run.
FORGOTTEN = timedelta(days=1)


class Engine:
    """A connection to the engine. Use `Engine.connect()`."""

    def __init__(self, client: docker.DockerClient, where: str = "") -> None:
        self._client = client
        self._where = where

    @classmethod
    def connect(cls) -> Engine:
        """Connect to the engine of DOCKER_HOST, or the usual sockets.

        Raises:
            EngineError: none answers, or this user may not talk to it.
        """
        where = next(iter(engine_addresses()), "unix:///var/run/docker.sock")
        try:
            client = docker.DockerClient(base_url=where, timeout=600, version="auto")
            client.ping()
            foreign = maps_users(client.info())
        except (DockerException, requests.exceptions.RequestException, OSError) as error:
            raise _connection_error(where, error) from error
        if foreign:
            raise EngineError("this engine is rootless", where=where, why=ROOTLESS, fix=ROOTFUL)
        return cls(client, where)

    def version(self) -> str:
        """Name, version and storage driver, for people."""
        with _engine_errors():
            version: Any = self._client.version()
            info: Any = self._client.info()
        name = (version.get("Platform") or {}).get("Name") or "Docker"
        return f"{name} {version.get('Version', '?')} ({info.get('Driver', '?')})"

    def image_architecture(self, tag: str) -> str | None:
        """The architecture of an image as the engine calls it (amd64, arm), None without image."""
        with _engine_errors():
            try:
                return str(self._client.images.get(tag).attrs.get("Architecture", ""))
            except ImageNotFound:
                return None

    def image_id(self, tag: str) -> str | None:
        """What an image is, as the engine tells images apart; None without image."""
        with _engine_errors():
            try:
                return str(self._client.images.get(tag).id)
            except ImageNotFound:
                return None

    def pull(self, name: str, tag: str, *, platform: str, into: str) -> str:
        """Pull an image and give it a name of ours; the name in the registry stays the user's.

        Args:
            name, tag: of the image in the registry.
            platform: like linux/arm/v7.
            into: what it is called here.

        Returns:
            Why it could not be had, in the engine's words; empty where it is here.

        Raises:
            DiskFullError: there is no room for it.
        """
        known = f"{name}:{tag}"
        before = self.image_id(known)
        try:
            self._client.images.pull(name, tag=tag, platform=platform)
        except (APIError, requests.exceptions.RequestException) as error:
            if tells_disk_full(str(error)):
                raise engine_full(f"pulling {known}") from error
            return _short(error)
        self.tag(known, into)
        with _engine_errors(), contextlib.suppress(ImageNotFound):
            if before is None:
                self._client.images.remove(known, noprune=True)
            else:
                self._client.images.get(before).tag(known)
        return ""

    def tag(self, image: str, tag: str) -> None:
        """Give an image another name."""
        with _engine_errors():
            self._client.images.get(image).tag(tag)

    def import_root(self, layer: Path, tag: str, *, platform: str) -> None:
        """Make an image of a root file system's tar file.

        It is loaded as an image archive (Docker Image Specification v1.2): the engine's import
        would note this machine's architecture, whatever the files are.
        """
        system, architecture, *variant = platform.split("/")
        with layer.open("rb") as data:
            diff = hashlib.file_digest(data, "sha256").hexdigest()
        config = json.dumps(
            {
                "architecture": architecture,
                **({"variant": variant[0]} if variant else {}),
                "os": system,
                "config": {"Cmd": ["/bin/sh"]},
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff}"]},
            }
        ).encode()
        name = hashlib.sha256(config).hexdigest() + ".json"
        manifest = [{"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}]
        archive = layer.with_suffix(".image")
        with tarfile.open(archive, "w") as tar:
            tar.add(layer, "layer.tar")
            for member, content in ((name, config), ("manifest.json", _json_bytes(manifest))):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        with _engine_errors(), archive.open("rb") as data:
            self._client.images.load(data)

    def build_image(
        self,
        tag: str,
        context: Path,
        *,
        arguments: Mapping[str, str],
        files: Mapping[str, Path],
        platform: str,
        log: Path,
        line: Line,
    ) -> None:
        """Build an image from a folder of `dockerfiles/` and further files.

        Args:
            tag: what the image is called; it appears only when the build succeeded.
            context: the folder with the Dockerfile.
            arguments: its ARGs.
            files: further files of the context: name inside → file of the host.
            platform: like linux/arm/v7.
            log: file that gets the whole output.
            line: called with each line of output.

        Raises:
            BuildError: a command of the Dockerfile failed.
            HostError: it could not be run here, or not reach Debian's packages.
            DiskFullError: no space left.
            EngineError: the engine failed.
        """
        archive = build_context(context, files)
        image = ""
        said = Said()
        with _engine_errors(), log.open("a", encoding="utf-8") as out:
            events: Iterator[dict[str, Any]] = self._client.api.build(
                fileobj=archive,
                custom_context=True,
                buildargs=dict(arguments),
                platform=platform,
                rm=True,
                forcerm=True,
                decode=True,
                labels={LABEL: "image"},
            )
            for event in events:
                text = str(event.get("stream") or event.get("status") or event.get("error") or "")
                for part in text.splitlines():
                    out.write(part + "\n")
                    if part.strip():
                        line(part)
                        said.line(part)
                if "aux" in event:
                    image = str(event["aux"].get("ID", image))
                if "error" in event:
                    raise image_error(tag, context, said, log)
        self.tag(image, tag)

    def run(
        self,
        job: Job,
        *,
        log: Path,
        line: Line,
        timeout: float | None = None,
        cancel: Cancel | None = None,
    ) -> int:
        """Run a job to its end.

        Args:
            job: what to run.
            log: the file for everything that it prints.
            line: called with each line.
            timeout: seconds after which it is killed.
            cancel: kills it when the run is ended from outside.

        Returns:
            The exit code of its command; 128 + n where signal n ended it.

        Raises:
            EngineError: the engine refused, or died meanwhile.
            TimeoutError: it was killed for its time.
            Interrupted: it was killed by `cancel`.
        """
        with contextlib.ExitStack() as stack:
            container = self._create(job, stack)
            return self._watch(container, log, line, timeout, cancel or Cancel())

    def _create(
        self, job: Job, stack: contextlib.ExitStack, *, terminal: bool | None = None
    ) -> Container:
        """Make a job's container, which is removed at the end of `stack`.

        Args:
            job: what to run.
            stack: keeps what the container needs.
            terminal: for people: somebody types, at a terminal or not.
        """
        sources = [m.source if m.writable else readable(m.source, stack) for m in job.mounts]
        with _engine_errors():
            container: Container = self._client.containers.create(
                job.image,
                list(job.argv),
                **creation(job, sources),
                labels=_labels(),
                tty=bool(terminal),
                stdin_open=terminal is not None,
            )
        stack.callback(_remove, container)
        return container

    def _watch(
        self, container: Container, log: Path, line: Line, timeout: float | None, cancel: Cancel
    ) -> int:
        late = threading.Event()

        def kill() -> None:
            with contextlib.suppress(DockerException, requests.exceptions.RequestException):
                container.kill()

        def kill_late() -> None:
            late.set()
            kill()

        timer = threading.Timer(timeout, kill_late) if timeout else None
        try:
            with _engine_errors():
                container.start()
                if timer:
                    timer.start()
                with cancel.waking(kill):
                    follow(container, log, line)
                    code = int(container.wait()["StatusCode"])
        finally:
            if timer:
                timer.cancel()
        if late.is_set():
            raise TimeoutError
        return code

    def read_output(self, image: str, argv: Sequence[str]) -> str:
        """The standard output of a short command in an image, without network.

        Raises:
            HostError: the command failed there.
            EngineError: the engine did.
        """
        try:
            with _engine_errors():
                output: bytes = self._client.containers.run(
                    image, list(argv), network_mode="none", remove=True, labels=_labels()
                )
        except ContainerError as error:
            said = cast(bytes, error.stderr or b"").decode("utf-8", "replace")
            raise HostError(
                f"a program of the image {image} failed (exit code {error.exit_status})",
                where=" ".join(argv),
                why=said.strip(),
                fix=f"make the image anew: `docker rmi {image}`, then the same command again",
            ) from error
        return output.decode()

    def read_file(self, image: str, path: str) -> bytes | None:
        """A file of an image, of any architecture: nothing is run; None where it is not there."""
        with _engine_errors():
            container = self._client.containers.create(image, ["true"], labels=_labels())
        try:
            with _engine_errors():
                try:
                    chunks, _ = container.get_archive(path)
                    data = io.BytesIO(b"".join(chunks))
                except NotFound:
                    return None
        finally:
            _remove(container)
        with tarfile.open(fileobj=data) as archive:
            file = next((m for m in archive if m.isfile()), None)
            inside = archive.extractfile(file) if file else None
            return inside.read() if inside else None

    def copy_out(
        self, image: str, paths: Mapping[str, str], into: Path, *, without: Sequence[str] = ()
    ) -> None:
        """Copy folders out of an image.

        Args:
            image: its tag.
            paths: folder in the image → name below `into`, which must not exist.
            into: an existing folder.
            without: globs of what stays there, in each folder.

        Raises:
            ArchiveError: it holds links that lead out of the folder, devices, or nothing.
        """
        with _engine_errors():
            container = self._client.containers.create(image, ["true"], labels=_labels())
        try:
            for path, name in paths.items():
                with tempfile.NamedTemporaryFile(dir=into) as archive:
                    with _engine_errors():
                        try:
                            chunks, _ = container.get_archive(path)
                        except NotFound:
                            continue
                        for chunk in chunks:
                            archive.write(chunk)
                    archive.flush()
                    unpack(Path(archive.name), into / name, strip=1, exclude=without)
        finally:
            _remove(container)

    def shell(self, job: Job) -> int:
        """Run a job's container with this terminal; the docker program only ties them together.

        Raises:
            EngineError: there is no docker program, or the engine refused.
        """
        program = shutil.which("docker")
        if program is None:
            raise EngineError(
                "the docker program is not installed",
                fix="install docker.io or docker-cli, or use `invoke build` without a shell",
            )
        # The engine that is used here, whatever the program's own configuration says.
        environment = {**os.environ, "DOCKER_HOST": self._where}
        environment.pop("DOCKER_CONTEXT", None)
        with contextlib.ExitStack() as stack:
            container = self._create(job, stack, terminal=os.isatty(0))
            command = [program, "start", "--attach", "--interactive", str(container.id)]
            return subprocess.call(command, env=environment)

    def remove_stale(self) -> int:
        """Remove containers whose crosspi is gone (killed); returns how many.

        Of a process that cannot be seen from here (another machine's, another container's) nobody
        knows whether it lives: what it left goes when it has not run for a day.
        """
        removed = 0
        with _engine_errors():
            for container in self._client.containers.list(
                all=True, filters={"label": LABEL}, ignore_removed=True
            ):
                owner = Owner.parse(str(container.labels.get(LABEL, "")))
                if owner is None:
                    continue
                gone = owner.is_gone()
                if gone or (gone is None and _forgotten(container)):
                    _remove(container)
                    removed += 1
        return removed

    def images(self) -> list[tuple[str, int]]:
        """crosspi's images: tag and size in bytes."""
        with _engine_errors():
            return [
                (tag, int(image.attrs.get("Size", 0)))
                for image in self._client.images.list()
                for tag in image.tags
                if tag.startswith("crosspi/") or "/crosspi/" in tag
            ]

    def remove_image(self, tag: str) -> None:
        """Remove an image."""
        with _engine_errors():
            self._client.images.remove(tag)


def _json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _connection_error(where: str, error: Exception) -> EngineError:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        return EngineError(
            "this user may not talk to the Docker engine",
            where=where,
            why="the socket belongs to another user or group",
            fix="add yourself to the group docker and log in again, or run with sudo",
        )
    return EngineError(
        "no Docker engine answers",
        where=where,
        why="it is not installed or not running",
        fix="`./inv doctor` says what is missing; `./inv` alone installs and starts the engine",
    )


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    """Turn the SDK's errors into one message."""
    try:
        yield
    except ContainerError:  # what ran there failed, and not the engine
        raise
    except (DockerException, requests.exceptions.RequestException, ConnectionError) as error:
        if tells_disk_full(str(error)):
            raise engine_full("the Docker engine worked") from error
        raise EngineError(
            "the Docker engine failed",
            why=f"it stopped or refused: {_short(error)}",
            fix="see that it runs (`./inv doctor`), then call the same command again: finished "
            "steps are kept",
        ) from error


def _short(error: Exception) -> str:
    explanation = getattr(error, "explanation", None)
    return str(explanation or error).strip().splitlines()[0][:300]


def _remove(container: Container) -> None:
    with contextlib.suppress(DockerException, requests.exceptions.RequestException):
        container.remove(force=True, v=True)


def _labels() -> dict[str, str]:
    return {LABEL: str(Owner.of(os.getpid()))}


def _forgotten(container: Container) -> bool:
    """Whether a container has not run for a day."""
    state: Mapping[str, Any] = container.attrs.get("State", {})
    if state.get("Running", True):
        return False
    # One that never ran finished in the year 1.
    times = (str(state.get("FinishedAt", "")), str(container.attrs.get("Created", "")))
    known = [datetime.fromisoformat(t[:19] + "+00:00") for t in times if t[:4].isdigit()]
    return bool(known) and datetime.now(UTC) - max(known) > FORGOTTEN
