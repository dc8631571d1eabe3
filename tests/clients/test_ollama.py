"""ollama for Python."""
import asyncio
import json
import time

import ollama
import pytest

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
SURE = {"temperature": 0, "num_predict": 30}


def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: The name of the city.
    """
    return f"Sunny in {city}"


@pytest.fixture
def client(hearth):
    return ollama.Client(host=hearth.url, timeout=60)


def test_list_show_and_ps(client, hearth):
    names = [model.model for model in client.list().models]
    assert hearth.chat + ":latest" in names
    shown = client.show(hearth.chat)
    assert "completion" in shown.capabilities and shown.modelinfo["general.architecture"] == "llama"
    client.chat(hearth.chat, QUESTION, options={"num_predict": 1})
    running = client.ps().models
    assert hearth.chat + ":latest" in [model.model for model in running]
    assert running[0].expires_at is not None and running[0].context_length > 0


def test_chat(client, hearth):
    answer = client.chat(hearth.chat, QUESTION, options=SURE)
    assert "Paris" in answer.message.content and answer.done and answer.done_reason in ("stop", "length")
    assert answer.prompt_eval_count > 10 and 0 < answer.eval_count <= 30
    assert answer.total_duration >= answer.eval_duration > 0


def test_chat_stream(client, hearth):
    parts = list(client.chat(hearth.chat, QUESTION, options=SURE, stream=True))
    assert "Paris" in "".join(part.message.content for part in parts)
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]


def test_generate(client, hearth):
    answer = client.generate(hearth.chat, "What is the capital of France? Answer in one sentence.", system="You are brief.", options=SURE)
    assert "Paris" in answer.response
    raw = client.generate(hearth.chat, "The capital of France is", raw=True, options={"temperature": 0, "num_predict": 6})
    assert "Paris" in raw.response
    parts = list(client.generate(hearth.chat, "What is the capital of France? Answer in one sentence.", options=SURE, stream=True))
    assert "Paris" in "".join(part.response for part in parts)


def test_load_and_unload(client, hearth):
    assert client.generate(hearth.chat, "").done_reason == "load"
    assert client.generate(hearth.chat, "", keep_alive=0).done_reason == "unload"
    deadline = time.monotonic() + 10
    while hearth.chat + ":latest" in [model.model for model in client.ps().models]:
        assert time.monotonic() < deadline, "the model stays"
        time.sleep(0.1)


def test_tools(client, hearth):
    messages = [{"role": "user", "content": "What is the weather in Paris? Use the tool."}]
    answer = client.chat(hearth.chat, messages, tools=[get_weather], options=SURE)
    for call in answer.message.tool_calls or []:
        assert call.function.name == "get_weather" and isinstance(call.function.arguments, dict)
    messages += [
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Paris"}}}]},
        {"role": "tool", "tool_name": "get_weather", "content": "Sunny, 21 degrees"},
    ]
    assert client.chat(hearth.chat, messages, tools=[get_weather], options=SURE).message.content is not None


def test_structured_output(client, hearth):
    schema = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"], "additionalProperties": False}
    answer = client.chat(hearth.chat, QUESTION, format=schema, options={"temperature": 0, "num_predict": 60})
    assert isinstance(json.loads(answer.message.content)["capital"], str)


def test_embed(client, hearth):
    answer = client.embed(hearth.embedder, ["A cat sleeps.", "The stock market fell."])
    assert len(answer.embeddings) == 2 and len(answer.embeddings[0]) == 384 and answer.prompt_eval_count > 4
    assert len(client.embed(hearth.embedder, "A cat sleeps.").embeddings) == 1
    assert len(client.embeddings(hearth.embedder, "A cat sleeps.").embedding) == 384


def test_errors(client, hearth):
    with pytest.raises(ollama.ResponseError) as missing:
        client.chat("no-such-model", QUESTION)
    assert missing.value.status_code == 404 and "no-such-model" in missing.value.error
    with pytest.raises(ollama.ResponseError) as long:
        list(client.chat(hearth.chat, [{"role": "user", "content": "word " * 20000}], stream=True))
    assert "context" in long.value.error
    with pytest.raises(ollama.ResponseError) as delete:
        client.delete(hearth.chat)
    assert "part of Hearth" in delete.value.error


def test_pull_of_what_is_here(client, hearth):
    assert list(client.pull(hearth.chat, stream=True))[-1].status == "success"
    with pytest.raises(ollama.ResponseError):
        client.pull("no-such-model")


def test_cancel(client, hearth):
    stream = client.chat(hearth.chat, [{"role": "user", "content": "Count to a thousand."}], options={"num_predict": 2000}, stream=True)
    next(stream)
    stream.close()
    assert client.chat(hearth.chat, QUESTION, options={"num_predict": 2}).done


def test_async(hearth):
    async def ask():
        client = ollama.AsyncClient(host=hearth.url)
        text = ""
        async for part in await client.chat(hearth.chat, QUESTION, options=SURE, stream=True):
            text += part.message.content
        return text

    assert "Paris" in asyncio.run(ask())
