"""huggingface_hub: what it fetched into its cache is a model of Hearth, used where it lies, and stays as it is."""
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading

import huggingface_hub

from conftest import PROGRAM, ROOT

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILE = "Q4_K_M/Tiny-Q4_K_M.gguf"
# The head of a sound model; its tensors are zeros, and there may be more of them than it needs.
MODEL = (ROOT / "crates/models/tests/corpus/qwen3.gguf").read_bytes() + bytes(1 << 20)
DIGEST = hashlib.sha256(MODEL).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as the client asks for one file."""

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()
        self.wfile.write(MODEL)

    def answer(self):
        self.send_response(200 if self.path.endswith(FILE) else 404)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("X-Linked-Etag", f'"{DIGEST}"')
        self.send_header("X-Linked-Size", str(len(MODEL)))
        self.send_header("ETag", f'"{DIGEST}"')
        self.send_header("Content-Length", str(len(MODEL)))
        self.end_headers()

    def log_message(self, *_):
        pass


def tree(folder):
    """Everything below a folder: target or content, and when it was changed last."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path)] = (content, path.lstat().st_mtime_ns)
    return found


def listed(home, cache):
    env = dict(os.environ, HEARTH_HOME=str(home), HF_HUB_CACHE=str(cache))
    result = subprocess.run([PROGRAM, "list", "--json"], env=env, capture_output=True, text=True, timeout=120, check=True)
    assert str(cache) not in result.stdout, "a path was shown"
    return {model["name"]: model for model in json.loads(result.stdout)["models"]}


def test_what_the_client_fetched_is_listed_and_stays_as_it_is(tmp_path):
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    cache = tmp_path / "hub"
    try:
        fetched = huggingface_hub.hf_hub_download(
            "someone/Tiny-GGUF", FILE, cache_dir=cache, endpoint=f"http://127.0.0.1:{hub.server_port}", token=False
        )
    finally:
        hub.shutdown()
    assert os.path.islink(fetched) and pathlib.Path(fetched).resolve().name == DIGEST, "the layout is another one than we know"
    before = tree(cache)
    model = listed(tmp_path / "home", cache)["tiny-q4_k_m"]
    assert model["problem"] is None
    assert model["source"] == "hugging_face"
    # The same file in Hearth's own folder: one model in two places, as soon as it is known what is in it.
    own = tmp_path / "home" / "models"
    own.mkdir(parents=True)
    (own / "Mine.gguf").write_bytes(MODEL)
    names = listed(tmp_path / "home", cache)
    assert {"mine"} <= names.keys()
    assert tree(cache) == before, "something was written into the cache"
