"""Starts the real server on the fake engine in a folder of its own, and has schemathesis ask it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target" / "debug" / "hearth"
EMBEDDER = ROOT / "target" / "debug" / "resources" / "models" / "all-MiniLM-L6-v2.F16.gguf"
POOLING = b"bert.pooling_type"


def make_models(folder):
    """A reranker (the embedder, said to give scores: the fake engine reads no weights, but the header is looked at) and models to remove."""
    data = bytearray(EMBEDDER.read_bytes())
    # After the key its type (u32), then the value (LLAMA_POOLING_TYPE_RANK of llama.cpp).
    at = data.index(POOLING) + len(POOLING) + 4
    data[at : at + 4] = (4).to_bytes(4, "little")
    folder.mkdir(parents=True)
    (folder / "reranker.gguf").write_bytes(data)
    for number in range(16):
        os.link(folder / "reranker.gguf", folder / f"spare-{number}.gguf")


def start(home):
    """The server and its address; it says where it listens once it does."""
    env = dict(os.environ, HEARTH_HOME=str(home), HEARTH_ENGINE="fake")
    server = subprocess.Popen([PROGRAM, "serve", "--port", "0", "--json"], env=env, stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    if not line:
        sys.exit(f"test-schema: {PROGRAM} serve ended with {server.wait()}")
    return server, json.loads(line)["addresses"][0]


def ask(address, answered, more):
    here = pathlib.Path(__file__).parent
    # As a module: the first line of the installed script names the folder it was installed in, which may be another clone's by now.
    program = [sys.executable, "-m", "schemathesis.cli"]
    env = dict(os.environ, SCHEMATHESIS_HOOKS="hooks", PYTHONPATH=str(here), HEARTH_ANSWERED=str(answered))
    command = [*program, "--config-file", here / "schemathesis.toml", "run", address + "/openapi.json", *more]
    # It keeps notes where it stands; they go with the folder.
    return subprocess.run(command, env=env, cwd=answered.parent).returncode


def never_answered(address, answered):
    """The operations that refused everything, so that what they answer was not put to the test."""
    with urllib.request.urlopen(address + "/openapi.json", timeout=30) as reply:
        paths = json.loads(reply.read())["paths"]
    wanted = set()
    for path, operations in paths.items():
        for method, operation in operations.items():
            if any(status.startswith("2") for status in operation["responses"]):
                wanted.add(f"{method} {path}")
    # The description itself was answered here and schemathesis leaves it out; a stream without an end is not asked for.
    left_out = {"get /openapi.json", "get /hearth/v1/moments"}
    return sorted(wanted - left_out - set(answered.read_text().splitlines()))


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="hearth-schema-"))
    server = None
    try:
        make_models(home / "models")
        server, address = start(home)
        answered = home / "answered"
        code = ask(address, answered, sys.argv[1:])
        if server.poll() is not None:
            sys.exit(f"test-schema: the server ended with {server.returncode}")
        # Only a whole run asks everything.
        silent = [] if sys.argv[1:] else never_answered(address, answered)
        if silent:
            sys.exit(f"test-schema: never answered: {', '.join(silent)}")
        sys.exit(code)
    finally:
        if server and server.poll() is None:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=15)
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
