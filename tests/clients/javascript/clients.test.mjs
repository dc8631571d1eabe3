// openai and ollama for JavaScript, against the server whose address is in HEARTH_URL.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Ollama } from 'ollama'
import OpenAI from 'openai'

const { HEARTH_URL: url, HEARTH_CHAT: model, HEARTH_EMBEDDER: embedder } = process.env
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
const ollama = new Ollama({ host: url })

const messages = [{ role: 'user', content: 'What is the capital of France? Answer in one sentence.' }]
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false }
const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather in a city', parameters } }]
const schema = { type: 'object', properties: { capital: { type: 'string' } }, required: ['capital'], additionalProperties: false }

test('openai: list', async () => {
  const names = []
  for await (const entry of openai.models.list()) names.push(entry.id)
  assert.ok(names.includes(model))
})

test('openai: chat', async () => {
  const answer = await openai.chat.completions.create({ model, messages, temperature: 0, max_completion_tokens: 30 })
  assert.match(answer.choices[0].message.content, /Paris/)
})

test('openai: stream', async () => {
  const stream = await openai.chat.completions.create({
    model, messages, temperature: 0, max_tokens: 30, stream: true, stream_options: { include_usage: true },
  })
  let text = ''
  let usage
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage ?? usage
  }
  assert.match(text, /Paris/)
  assert.ok(usage.completion_tokens > 0)
})

test('openai: tools', async () => {
  const answer = await openai.chat.completions.create({ model, messages, tools, tool_choice: 'required', parallel_tool_calls: false, temperature: 0, max_tokens: 60 })
  assert.equal(answer.choices[0].finish_reason, 'tool_calls')
  assert.equal(answer.choices[0].message.tool_calls[0].function.name, 'get_weather')
})

test('openai: structured output', async () => {
  const answer = await openai.chat.completions.create({
    model, messages, temperature: 0, max_tokens: 60, response_format: { type: 'json_schema', json_schema: { name: 'capital', schema, strict: true } },
  })
  assert.equal(typeof JSON.parse(answer.choices[0].message.content).capital, 'string')
})

test('openai: embeddings', async () => {
  const { data } = await openai.embeddings.create({ model: embedder, input: ['A cat sleeps.', 'The market fell.'] })
  assert.deepEqual(data.map((entry) => entry.embedding.length), [384, 384])
})

test('openai: responses', async () => {
  const kinds = []
  let text = ''
  for await (const event of await openai.responses.create({ model, input: 'What is the capital of France? Answer in one sentence.', temperature: 0, max_output_tokens: 30, stream: true })) {
    kinds.push(event.type)
    if (event.type === 'response.output_text.delta') text += event.delta
  }
  assert.equal(kinds[0], 'response.created')
  assert.match(text, /Paris/)
})

test('openai: errors', async () => {
  await assert.rejects(openai.chat.completions.create({ model: 'no-such-model', messages }), OpenAI.NotFoundError)
  await assert.rejects(openai.chat.completions.create({ model, messages, temperature: 9 }), OpenAI.BadRequestError)
})

test('openai: cancel', async () => {
  const stream = await openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Count to a thousand.' }], stream: true, max_tokens: 2000 })
  for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
  stream.controller.abort()
  await openai.chat.completions.create({ model, messages, max_tokens: 2 })
})

test('ollama: list and show', async () => {
  const { models } = await ollama.list()
  assert.ok(models.some((entry) => entry.model === `${model}:latest`))
  assert.ok((await ollama.show({ model })).capabilities.includes('completion'))
})

test('ollama: chat and generate', async () => {
  const options = { temperature: 0, num_predict: 30 }
  assert.match((await ollama.chat({ model, messages, options })).message.content, /Paris/)
  assert.match((await ollama.generate({ model, prompt: 'What is the capital of France? Answer in one sentence.', options })).response, /Paris/)
})

test('ollama: stream', async () => {
  let text = ''
  let last
  for await (const part of await ollama.chat({ model, messages, stream: true, options: { temperature: 0, num_predict: 30 } })) {
    text += part.message.content
    last = part
  }
  assert.match(text, /Paris/)
  assert.equal(last.done, true)
})

test('ollama: tools', async () => {
  const answer = await ollama.chat({ model, messages, tools, options: { temperature: 0, num_predict: 40 } })
  for (const call of answer.message.tool_calls ?? []) assert.equal(typeof call.function.arguments, 'object')
})

test('ollama: structured output', async () => {
  const answer = await ollama.chat({ model, messages, format: schema, options: { temperature: 0, num_predict: 60 } })
  assert.equal(typeof JSON.parse(answer.message.content).capital, 'string')
})

test('ollama: embed', async () => {
  assert.equal((await ollama.embed({ model: embedder, input: 'A cat sleeps.' })).embeddings[0].length, 384)
})

test('ollama: errors', async () => {
  await assert.rejects(ollama.chat({ model: 'no-such-model', messages }), /no-such-model/)
})

test('ollama: cancel', async () => {
  const stream = await ollama.chat({ model, messages: [{ role: 'user', content: 'Count to a thousand.' }], stream: true, options: { num_predict: 2000 } })
  await assert.rejects(async () => {
    for await (const part of stream) if (part.message.content) stream.abort()
  }, { name: 'AbortError' })
  assert.ok((await ollama.chat({ model, messages, options: { num_predict: 2 } })).done)
})
