"""What the generated requests need to get past the door, and how lines of JSON are read.

Of four requests one is sent as it was made, one names a model that is there, and two are a request that works with one field of the
made one laid over it: so answers are put to the test, and not refusals only.
"""
import json
import os
import zlib

import schemathesis

SAID = [{"role": "user", "content": "!say Good morning."}]
CHAT = {"model": "starter", "messages": SAID, "max_tokens": 32}
TEXT = {"model": "starter", "prompt": "!say Good morning.", "max_tokens": 32}
VECTORS = {"model": "embedder", "input": ["one text", "another"]}
# By the path; `{n}` is one of the models that run.py makes to be copied and removed.
WORKING = {
    "/api/chat": {"model": "starter", "messages": SAID},
    "/api/copy": {"source": "reranker", "destination": "copy-{n}"},
    "/api/delete": {"model": "spare-{n}"},
    "/api/embed": VECTORS,
    "/api/embeddings": {"model": "embedder", "prompt": "one text"},
    "/api/generate": {"model": "starter", "prompt": "!say Good morning."},
    "/api/pull": {"model": "starter"},
    "/api/show": {"model": "starter"},
    "/api/v0/chat/completions": CHAT,
    "/api/v0/completions": TEXT,
    "/api/v0/embeddings": VECTORS,
    "/v1/chat/completions": CHAT,
    "/v1/completions": TEXT,
    "/v1/embeddings": VECTORS,
    "/v1/messages": CHAT,
    "/v1/messages/count_tokens": {"model": "starter", "messages": SAID},
    "/v1/rerank": {"model": "reranker", "query": "q", "documents": ["one", "another"]},
    "/v1/responses": {"model": "starter", "input": "!say Good morning."},
}
NAMES = ("model", "name", "source")


def number(value):
    """The same for the same value in every run."""
    text = json.dumps(value, sort_keys=True, default=str)
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


@schemathesis.hook
def map_body(context, body):
    working = WORKING.get(context.operation.path)
    if working is None or not isinstance(body, dict):
        return body
    drawn = number(body)
    way, drawn = drawn % 4, drawn // 4
    if way == 0:
        return body
    working = json.loads(json.dumps(working).replace("{n}", str(drawn % 16)))
    made = {key: value for key, value in body.items() if key not in NAMES}
    if way == 1:
        return {**made, **{name: working[name] for name in NAMES if name in working}}
    if not made:
        return working
    key = sorted(made)[drawn % len(made)]
    return {**working, key: made[key]}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if not path_parameters or number(path_parameters) % 4 == 0:
        return path_parameters
    return {name: "starter" if name in ("id", "model") else value for name, value in path_parameters.items()}


@schemathesis.hook
def after_call(context, case, response):
    """For run.py, which looks whether every operation has answered."""
    if 200 <= response.status_code < 300:
        with open(os.environ["HEARTH_ANSWERED"], "a") as file:
            file.write(f"{case.method.lower()} {case.operation.path}\n")


@schemathesis.deserializer("application/x-ndjson")
def lines(context, response):
    return [json.loads(line) for line in response.content.splitlines()]
