"""One Hearth for all tests: the real server, the starter model and the embedder, in a home folder of its own.

With HEARTH_RECORD=FOLDER every request goes through a small proxy that writes down what the client has sent; crates/server replays
these files against the fake engine: HEARTH_RECORD=crates/server/src/recorded scripts/test-clients
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from recorder import Recorder

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "debug" / "hearth"
START_SECONDS = 30


class Hearth:
    """Where the server is and what it serves."""

    def __init__(self, url, chat, embedder, process):
        self.url = url
        self.chat = chat
        self.embedder = embedder
        self.process = process

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as reply:
            return json.loads(reply.read())

    def busy(self):
        """How many answers are being written now."""
        return self.get("/hearth/v1/loaded")["running"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(url, process):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{PROGRAM} serve ended with {process.returncode}")
        try:
            urllib.request.urlopen(url + "/health", timeout=1).read()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"{PROGRAM} serve was not up after {START_SECONDS} s")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    port = free_port()
    env = dict(os.environ, HEARTH_HOME=str(home))
    process = subprocess.Popen([PROGRAM, "serve", "--port", str(port)], env=env)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, process)
        # The two models that come with Hearth.
        yield Hearth(url, "starter", "embedder", process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture
def hearth(server, request):
    folder = os.environ.get("HEARTH_RECORD")
    if not folder:
        yield server
        return
    test = request.node.nodeid.lower().removesuffix("]").removeprefix("tests/clients/test_").replace(".py::test_", "-")
    name = re.sub(r"[^a-z0-9]+", "-", test).strip("-")
    with Recorder(server.url, pathlib.Path(folder) / f"{name}.json") as recorder:
        yield Hearth(recorder.url, server.chat, server.embedder, server.process)


@pytest.fixture(autouse=True)
def nothing_stays_busy(server):
    """An answer that nobody waits for any more must end, whatever the test did."""
    yield
    deadline = time.monotonic() + 10
    while server.busy():
        assert time.monotonic() < deadline, "an answer goes on although its client is gone"
        time.sleep(0.05)
