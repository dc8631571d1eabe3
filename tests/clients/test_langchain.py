"""langchain-openai and langchain-ollama."""
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

QUESTION = [HumanMessage("What is the capital of France? Answer in one sentence.")]


class Capital(BaseModel):
    """A country and its capital."""

    country: str = Field(description="Name of the country")
    capital: str = Field(description="Name of its capital")


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


@pytest.fixture(params=["openai", "ollama"])
def chat(hearth, request):
    if request.param == "openai":
        return ChatOpenAI(model=hearth.chat, base_url=hearth.url + "/v1", api_key="any", temperature=0, max_tokens=60, max_retries=0)
    return ChatOllama(model=hearth.chat, base_url=hearth.url, temperature=0, num_predict=60, validate_model_on_init=True)


def test_invoke_and_stream(chat):
    answer = chat.invoke(QUESTION)
    assert "Paris" in answer.content and answer.usage_metadata["output_tokens"] > 0
    assert "Paris" in "".join(part.text for part in chat.stream(QUESTION))


def test_tools(hearth, chat):
    choice = {"tool_choice": "any"} if isinstance(chat, ChatOpenAI) else {}
    answer = chat.bind_tools([get_weather], **choice).invoke([HumanMessage("What is the weather in Paris?")])
    assert all(call["name"] == "get_weather" for call in answer.tool_calls)
    assert answer.tool_calls or not choice


def test_structured_output(chat):
    answer = chat.with_structured_output(Capital, method="json_schema").invoke(QUESTION)
    assert isinstance(answer, Capital)


def test_embeddings(hearth):
    texts = ["A cat sleeps.", "A kitten is sleeping.", "The stock market fell."]
    of_openai = OpenAIEmbeddings(model=hearth.embedder, base_url=hearth.url + "/v1", api_key="any", check_embedding_ctx_length=False)
    of_ollama = OllamaEmbeddings(model=hearth.embedder, base_url=hearth.url)
    one, other = of_openai.embed_documents(texts), of_ollama.embed_documents(texts)
    assert all(abs(a - b) < 1e-4 for u, v in zip(one, other) for a, b in zip(u, v))


def test_plain_text(hearth):
    model = OllamaLLM(model=hearth.chat, base_url=hearth.url, temperature=0, num_predict=20)
    assert "Paris" in model.invoke("What is the capital of France? Answer in one sentence.")


def test_many_at_once(chat):
    answers = chat.batch([QUESTION] * 6)
    assert all("Paris" in answer.content for answer in answers)
