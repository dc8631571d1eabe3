"""openai and ollama for JavaScript: node's own test runner, with the same server."""
import os
import pathlib
import subprocess

FOLDER = pathlib.Path(__file__).parent / "javascript"


def test_openai_and_ollama(hearth):
    env = dict(os.environ, HEARTH_URL=hearth.url, HEARTH_CHAT=hearth.chat, HEARTH_EMBEDDER=hearth.embedder)
    done = subprocess.run(["npm", "test", "--silent"], cwd=FOLDER, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
