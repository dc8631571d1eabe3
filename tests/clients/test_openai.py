"""openai for Python."""
import json
import time

import openai
import pytest
from pydantic import BaseModel

QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    },
}


@pytest.fixture
def client(hearth):
    return openai.OpenAI(base_url=hearth.url + "/v1", api_key="any", max_retries=0, timeout=60)


def test_models(client, hearth):
    names = [model.id for model in client.models.list()]
    assert hearth.chat in names and hearth.embedder in names
    assert client.models.retrieve(hearth.chat).id == hearth.chat


def test_chat(client, hearth):
    answer = client.chat.completions.create(model=hearth.chat, messages=QUESTION, temperature=0, max_completion_tokens=30)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 10 and 0 < answer.usage.completion_tokens <= 30
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_chat_stream_with_usage(client, hearth):
    stream = client.chat.completions.create(
        model=hearth.chat, messages=QUESTION, temperature=0, max_tokens=30, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "Paris" in text and len(chunks) > 5
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] != []


def test_same_seed_same_text(client, hearth):
    def once():
        answer = client.chat.completions.create(model=hearth.chat, messages=QUESTION, seed=7, temperature=0.9, max_tokens=20)
        return answer.choices[0].message.content

    assert once() == once()


def test_several_answers_stop_and_logprobs(client, hearth):
    answer = client.chat.completions.create(
        model=hearth.chat, messages=QUESTION, n=2, stop=["."], temperature=0.8, max_tokens=20, logprobs=True, top_logprobs=3
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    for choice in answer.choices:
        assert "." not in choice.message.content
        assert len(choice.logprobs.content[0].top_logprobs) == 3


def test_tool_call_and_its_result(client, hearth):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked = client.chat.completions.create(model=hearth.chat, messages=messages, tools=[WEATHER], tool_choice="required", parallel_tool_calls=False, temperature=0, max_tokens=60)
    choice = asked.choices[0]
    call = choice.message.tool_calls[0]
    assert choice.finish_reason == "tool_calls" and call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees"}]
    told = client.chat.completions.create(model=hearth.chat, messages=messages, tools=[WEATHER], temperature=0, max_tokens=40)
    assert told.choices[0].message.content or told.choices[0].message.tool_calls


def test_tool_call_streamed(client, hearth):
    stream = client.chat.completions.create(
        model=hearth.chat,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
        temperature=0,
        max_tokens=60,
        stream=True,
    )
    names, arguments, reasons = [], "", []
    for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or []:
            names += [call.function.name] if call.function.name else []
            arguments += call.function.arguments or ""
        reasons += [chunk.choices[0].finish_reason] if chunk.choices[0].finish_reason else []
    assert names == ["get_weather"] and "city" in json.loads(arguments)
    assert reasons == ["tool_calls"]


class Capital(BaseModel):
    country: str
    capital: str


def test_structured_output(client, hearth):
    answer = client.chat.completions.parse(model=hearth.chat, messages=QUESTION, response_format=Capital, temperature=0, max_tokens=80)
    assert isinstance(answer.choices[0].message.parsed, Capital)
    plain = client.chat.completions.create(
        model=hearth.chat, messages=QUESTION, response_format={"type": "json_object"}, temperature=0, max_tokens=100
    )
    if plain.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(plain.choices[0].message.content), dict)


def test_completions(client, hearth):
    answer = client.completions.create(model=hearth.chat, prompt="The capital of France is", temperature=0, max_tokens=6)
    assert "Paris" in answer.choices[0].text
    pieces = client.completions.create(model=hearth.chat, prompt="The capital of France is", temperature=0, max_tokens=6, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == answer.choices[0].text


def test_embeddings(client, hearth):
    texts = ["A cat sleeps.", "A kitten is sleeping.", "The stock market fell."]
    # Without a format the client asks for base64 and decodes it.
    vectors = [item.embedding for item in client.embeddings.create(model=hearth.embedder, input=texts).data]
    floats = [item.embedding for item in client.embeddings.create(model=hearth.embedder, input=texts, encoding_format="float").data]
    assert len(vectors) == 3 and len(vectors[0]) == 384
    assert all(abs(a - b) < 1e-5 for v, f in zip(vectors, floats) for a, b in zip(v, f))

    def near(a, b):
        return sum(x * y for x, y in zip(a, b))

    assert near(vectors[0], vectors[1]) > near(vectors[0], vectors[2]) + 0.3


def test_responses(client, hearth):
    answer = client.responses.create(model=hearth.chat, input="What is the capital of France? Answer in one sentence.", temperature=0, max_output_tokens=30)
    assert "Paris" in answer.output_text and answer.status in ("completed", "incomplete")
    events = list(client.responses.create(model=hearth.chat, input="What is the capital of France? Answer in one sentence.", temperature=0, max_output_tokens=30, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == answer.output_text
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_errors(client, hearth):
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="no-such-model", messages=QUESTION)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=hearth.chat, messages=QUESTION, temperature=9)
    assert wrong.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as long:
        client.chat.completions.create(model=hearth.chat, messages=[{"role": "user", "content": "word " * 20000}])
    assert long.value.code == "context_length_exceeded"


def test_cancel(client, hearth):
    stream = client.chat.completions.create(
        model=hearth.chat, messages=[{"role": "user", "content": "Count to a thousand."}], stream=True, max_tokens=2000
    )
    for _, _ in zip(range(3), stream):
        pass
    stream.close()
    began = time.monotonic()
    client.chat.completions.create(model=hearth.chat, messages=QUESTION, max_tokens=2)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("stream", [False, True])
def test_async(hearth, stream):
    import asyncio

    async def ask():
        async with openai.AsyncOpenAI(base_url=hearth.url + "/v1", api_key="any", max_retries=0) as client:
            answer = await client.chat.completions.create(model=hearth.chat, messages=QUESTION, temperature=0, max_tokens=20, stream=stream)
            if not stream:
                return answer.choices[0].message.content
            return "".join([chunk.choices[0].delta.content or "" async for chunk in answer if chunk.choices])

    assert "Paris" in asyncio.run(ask())
