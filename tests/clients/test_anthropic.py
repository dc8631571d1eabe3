"""anthropic for Python."""
import anthropic
import pytest

# The client has no word for it any more; the API still takes it.
SURE = {"temperature": 0}
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
}


@pytest.fixture
def client(hearth):
    return anthropic.Anthropic(base_url=hearth.url, api_key="any", max_retries=0, timeout=60)


def test_message(client, hearth):
    answer = client.messages.create(model=hearth.chat, max_tokens=30, system="You are brief.", messages=QUESTION, extra_body=SURE)
    assert "Paris" in answer.content[0].text and answer.role == "assistant"
    assert answer.stop_reason in ("end_turn", "max_tokens") and answer.usage.output_tokens > 0


def test_stream(client, hearth):
    kinds = []
    with client.messages.stream(model=hearth.chat, max_tokens=30, messages=QUESTION, extra_body=SURE) as stream:
        for event in stream:
            kinds.append(event.type)
        answer = stream.get_final_message()
    assert "Paris" in answer.content[0].text and answer.usage.output_tokens > 0
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"


def test_blocks_and_stop_sequences(client, hearth):
    blocks = [{"type": "text", "text": "What is the capital of France? Answer in one sentence.", "cache_control": {"type": "ephemeral"}}]
    answer = client.messages.create(
        model=hearth.chat,
        max_tokens=30,
        system=[{"type": "text", "text": "You are brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": blocks}],
        stop_sequences=["Paris"],
        extra_body=SURE,
    )
    assert answer.stop_reason == "stop_sequence" and answer.stop_sequence == "Paris"


def test_tools(client, hearth):
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    asked = client.messages.create(
        model=hearth.chat, max_tokens=100, messages=messages, tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}, extra_body=SURE
    )
    call = next(block for block in asked.content if block.type == "tool_use")
    assert asked.stop_reason == "tool_use" and isinstance(call.input["city"], str)
    messages += [
        {"role": "assistant", "content": asked.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 21 degrees"}]},
    ]
    told = client.messages.create(model=hearth.chat, max_tokens=40, messages=messages, tools=[WEATHER], extra_body=SURE)
    assert told.content


def test_tools_streamed(client, hearth):
    with client.messages.stream(
        model=hearth.chat,
        max_tokens=100,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        extra_body=SURE,
    ) as stream:
        answer = stream.get_final_message()
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["get_weather"]


def test_count_tokens(client, hearth):
    counted = client.messages.count_tokens(model=hearth.chat, messages=QUESTION)
    answer = client.messages.create(model=hearth.chat, max_tokens=1, messages=QUESTION)
    usage = answer.usage
    assert counted.input_tokens == usage.input_tokens + (usage.cache_read_input_tokens or 0)


def test_errors(client, hearth):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no-such-model", max_tokens=10, messages=QUESTION)
    with pytest.raises(anthropic.BadRequestError) as wrong:
        client.messages.create(model=hearth.chat, max_tokens=0, messages=QUESTION)
    assert wrong.value.body["error"]["type"] == "invalid_request_error"


def test_cancel(client, hearth):
    with client.messages.stream(model=hearth.chat, max_tokens=2000, messages=[{"role": "user", "content": "Count to a thousand."}]) as stream:
        next(iter(stream.text_stream))
    assert client.messages.create(model=hearth.chat, max_tokens=2, messages=QUESTION).content
