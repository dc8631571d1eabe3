"""The examples of the app's Server screen, each run as a person would who pastes it.

Against the fake engine, since they set no limit to the answer and it is the way to the server that is tried here.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import PROGRAM, free_port, wait_until_up

ROOT = pathlib.Path(__file__).resolve().parents[2]
JAVASCRIPT = pathlib.Path(__file__).parent / "javascript"
RUN = {
    "curl": ["sh", "-c"],
    "python": [sys.executable, "-c"],
    # From the folder whose libraries are installed.
    "javascript": ["node", "--input-type=module", "--eval"],
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    port = free_port()
    env = dict(os.environ, HEARTH_HOME=str(tmp_path_factory.mktemp("examples")), HEARTH_ENGINE="fake")
    with subprocess.Popen([PROGRAM, "serve", "--port", str(port)], env=env) as process:
        try:
            wait_until_up(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def examples(url):
    printed = subprocess.run(["node", "tools/examples.mjs", url, "starter"], cwd=ROOT / "ui", capture_output=True, text=True, check=True)
    return {(e["library"], e["language"], e["keyed"]): e["text"] for e in json.loads(printed.stdout)}


@pytest.mark.parametrize("keyed", [False, True], ids=["without key", "with key"])
@pytest.mark.parametrize("language", ["curl", "python", "javascript"])
@pytest.mark.parametrize("library", ["openai", "ollama", "anthropic"])
def test_example(examples, library, language, keyed):
    # The server asks for no key here, so any is taken.
    env = dict(os.environ, HEARTH_API_KEY="any-key")
    done = subprocess.run([*RUN[language], examples[library, language, keyed]], cwd=JAVASCRIPT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer = done.stdout
    if language == "curl":
        reply = json.loads(answer)
        assert "error" not in reply, reply
        answer = {"openai": lambda: reply["choices"][0]["message"]["content"], "ollama": lambda: reply["message"]["content"], "anthropic": lambda: reply["content"][0]["text"]}[library]()
    assert answer.strip() == "You said: Why is the sky blue?"
