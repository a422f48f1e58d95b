# Old Python on purpose, without annotations.
# mypy: ignore-errors
"""What runs on the emulated board: calls programs of a wheel, imports modules, each by itself.

    python guest.py /wheel/NAME.whl /out/trials.json FILE=HOW ...

Each FILE is a member of the wheel; HOW is `import`, or the argument for a program. Valid for Python
2.7 and 3.4 and newer; it imports nothing of crosspi. The result is a list of {"file", "how", "code",
"text"}: the exit code (negative: the signal; null: it did not end), and the end of what it printed.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile

SECONDS = 300
SITE, BIN, REST = "/tmp/trial/site", "/tmp/trial/bin", "/tmp/trial"


def place(name):
    """Where a member lies when the wheel is installed."""
    parts = name.split("/")
    if len(parts) > 2 and parts[0].endswith(".data"):
        folder = {"purelib": SITE, "platlib": SITE, "scripts": BIN}.get(parts[1], REST)
        return os.path.join(folder, *parts[2:])
    return os.path.join(SITE, name)


def dotted(name):
    """By which name a file of the wheel is imported."""
    parts = os.path.relpath(place(name), SITE).split("/")
    parts[-1] = parts[-1].split(".")[0]
    return ".".join(parts)


def run(argv):
    """Exit code (None: it did not end) and the last of what it printed."""
    environment = dict(os.environ, PYTHONPATH=SITE, PYTHONDONTWRITEBYTECODE="1")
    late = []
    with open(os.devnull) as nothing:
        try:
            process = subprocess.Popen(
                argv,
                stdin=nothing,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/tmp",
            )
        except OSError as error:
            return 127, str(error)
    timer = threading.Timer(SECONDS, lambda: (late.append(1), process.kill()))
    timer.start()
    text = process.communicate()[0].decode("utf-8", "replace")
    timer.cancel()
    return (None if late else process.returncode), text[-500:]


def main(wheel, out, jobs):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            path = place(name)
            if name.endswith("/"):
                continue
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with io.open(path, "wb") as stream:
                shutil.copyfileobj(archive.open(name), stream)
            os.chmod(path, 0o755)
    trials = []
    for job in jobs:
        name, how = job.rsplit("=", 1)
        argv = [place(name), how]
        if how == "import":
            argv = [sys.executable, "-c", "import " + dotted(name)]
        code, text = run(argv)
        print("%s %s: %s" % (name, how, code))
        trials.append({"file": name, "how": how, "code": code, "text": text})
    with io.open(out, "w", encoding="utf-8") as stream:
        stream.write(u"" + json.dumps(trials))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
