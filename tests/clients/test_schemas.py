"""Structured output: a thousand strange schemas, each held to or refused with a reason, and the child outlives them."""
import collections
import concurrent.futures
import json
import subprocess
import urllib.error
import urllib.request

import jsonschema_rs

from strange_schemas import schemas

# At once: what the child takes by itself.
CLIENTS = 4
# Enough for most that can end at all.
MOST_TOKENS = 32


def ask(hearth, seed, schema):
    """The status and what came with it. A hot model writes what the schema lets through, not only what is likely."""
    body = {
        "model": hearth.chat,
        "messages": [{"role": "user", "content": "Answer in JSON."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}},
        "temperature": 1.5,
        "seed": seed,
        "max_tokens": MOST_TOKENS,
    }
    request = urllib.request.Request(hearth.url + "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def judge(hearth, seed, name, schema):
    """What became of a schema, and what is wrong with it if anything is."""
    status, reply = ask(hearth, seed, schema)
    if status != 200:
        error = reply["error"]
        clear = status == 400 and error["param"].startswith("response_format") and len(error["message"]) > 20 and "panic" not in error["message"]
        return "refused", None if clear else f"{name}: {status} {error}"
    choice = reply["choices"][0]
    text = choice["message"]["content"]
    if choice["finish_reason"] != "stop":
        return "cut", None
    try:
        validator(schema).validate(json.loads(text))
    except (ValueError, jsonschema_rs.ValidationError) as error:
        return "whole", f"{name}: {text!r} of {json.dumps(schema)[:300]}: {error}"
    return "whole", None


def validator(schema):
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True)
    except jsonschema_rs.ValidationError:
        # Hearth takes a list of `items` as older drafts do.
        return jsonschema_rs.Draft7Validator(schema, validate_formats=True)


def children(hearth):
    """The processes that run models."""
    found = subprocess.run(["pgrep", "-P", str(hearth.process.pid)], stdout=subprocess.PIPE, text=True, check=True)
    return set(found.stdout.split())


def test_a_thousand_strange_schemas(server):
    all_schemas = list(schemas())
    assert len(all_schemas) >= 1000
    assert ask(server, 0, {"const": 1})[1]["choices"][0]["message"]["content"] == "1"
    before = children(server)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        outcomes = list(clients.map(lambda one: judge(server, one[0], *one[1]), enumerate(all_schemas)))
    counts = collections.Counter(became for became, _ in outcomes)
    print(dict(counts))
    wrong = [what for _, what in outcomes if what]
    assert not wrong, "\n".join(wrong)
    assert ask(server, 0, {"const": 1})[0] == 200
    # One that had died would be back under another number.
    assert children(server) <= before
    assert counts["whole"] > 200 and counts["refused"] > 300, counts
