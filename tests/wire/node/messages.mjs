// node messages.mjs URL: what @anthropic-ai/sdk and the AI SDK's anthropic provider make of /messages, as JSON.
import { createAnthropic } from "@ai-sdk/anthropic";
import Anthropic from "@anthropic-ai/sdk";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const url = `${process.argv[2]}/anthropic`;
const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const model = createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" })("m");
const ask = (content, more = {}) => ({ model: "m", max_tokens: 99, messages: [{ role: "user", content }], ...more });
const tools = {
  get_time: tool({
    description: "The time",
    inputSchema: z.object({ tz: z.string() }),
    execute: async ({ tz }) => `noon in ${tz}`,
  }),
};

async function parts(result) {
  const seen = [];
  for await (const part of result.fullStream) {
    const { type, text, input, output, toolName, toolCallId, providerExecuted, finishReason } = part;
    const error = part.error && { name: part.error.name, message: part.error.message ?? String(part.error) };
    seen.push({ type, text, input, output, toolName, toolCallId, providerExecuted, finishReason, error });
  }
  return seen;
}

async function failure(work) {
  try {
    await work();
    return "no failure";
  } catch (error) {
    return { name: error.constructor.name, message: error.message, status: error.status ?? error.statusCode };
  }
}

const sdk = {
  async whole() {
    const { content, stop_reason, usage } = await client.messages.create(ask("think"));
    return { content, stop_reason, usage };
  },
  async helper() {
    const stream = client.messages.stream(ask("look"));
    const texts = [];
    stream.on("text", (text) => texts.push(text));
    const final = await stream.finalMessage();
    return { text: texts.join(""), kinds: final.content.map((block) => block.type) };
  },
  async tools() {
    const get_time = { name: "get_time", input_schema: { type: "object" } };
    const final = await client.messages.stream(ask("time", { tools: [get_time] })).finalMessage();
    return { content: final.content, stop_reason: final.stop_reason };
  },
  async count() {
    return (await client.messages.countTokens({ model: "m", messages: ask("hi").messages })).input_tokens;
  },
  async models() {
    const names = [];
    for await (const { id } of client.models.list()) names.push(id);
    return names;
  },
  async errors() {
    return {
      bad: await failure(() => client.messages.create(ask("refused"))),
      midway: await failure(() => client.messages.stream(ask("fail midway")).finalMessage()),
    };
  },
};

const ai = {
  async whole() {
    const { text, reasoningText, finishReason, usage } = await generateText({ model, prompt: "think" });
    return { text, reasoningText, finishReason, usage };
  },
  async stream() {
    return parts(streamText({ model, prompt: "think", onError: () => {} }));
  },
  async tools() {
    const { text, steps } = await generateText({ model, prompt: "time", tools, stopWhen: stepCountIs(3) });
    return { text, steps: steps.map((s) => [s.finishReason, s.toolCalls.length, s.toolResults.length]) };
  },
  async ownTool() {
    return parts(streamText({ model, prompt: "look", onError: () => {} }));
  },
  async midway() {
    return parts(streamText({ model, prompt: "fail midway", onError: () => {} }));
  },
};

const results = { sdk: {}, ai: {} };
for (const [name, show] of Object.entries(sdk)) results.sdk[name] = await show();
for (const [name, show] of Object.entries(ai)) results.ai[name] = await show();
console.log(JSON.stringify(results));
