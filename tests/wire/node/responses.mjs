// node responses.mjs URL: what the openai package and the AI SDK's openai provider make of /responses, as JSON.
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

const baseURL = `${process.argv[2]}/openai/v1`;
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const provider = createOpenAI({ baseURL, apiKey: "none" });
const model = provider("m");
const tools = {
  get_time: tool({
    description: "The time",
    inputSchema: z.object({ tz: z.string() }),
    execute: async ({ tz }) => `noon in ${tz}`,
  }),
};
const place = z.object({ city: z.string() });

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
    const answer = await client.responses.create({ model: "m", input: "think" });
    return { text: answer.output_text, kinds: answer.output.map((item) => item.type), usage: answer.usage };
  },
  async helper() {
    const stream = client.responses.stream({ model: "m", input: "look" });
    const kinds = [];
    for await (const event of stream) kinds.push(event.type);
    const final = await stream.finalResponse();
    return { kinds, text: final.output_text };
  },
  async parse() {
    const text = { format: zodTextFormat(place, "place") };
    return (await client.responses.parse({ model: "m", input: "json", text })).output_parsed;
  },
  async background() {
    let answer = await client.responses.create({ model: "m", input: "hi", background: true });
    const first = answer.status;
    while (["queued", "in_progress"].includes(answer.status)) answer = await client.responses.retrieve(answer.id);
    const again = await client.responses.create({ model: "m", input: "more", previous_response_id: answer.id });
    return { first, last: answer.status, text: answer.output_text, again: again.output_text };
  },
  async failure() {
    return failure(async () => {
      for await (const _ of await client.responses.create({ model: "m", input: "fail midway", stream: true })) {
      }
    });
  },
};

const ai = {
  async whole() {
    const { text, reasoningText, finishReason, usage, response } = await generateText({ model, prompt: "think" });
    return { text, reasoningText, finishReason, usage, id: response.id };
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
  async object() {
    return (await generateObject({ model, prompt: "json", schema: place })).object;
  },
  async conversation() {
    const first = await generateText({ model, prompt: "one" });
    const messages = [{ role: "user", content: "one" }, ...first.response.messages, { role: "user", content: "two" }];
    return (await generateText({ model, messages })).text;
  },
  async midway() {
    return parts(streamText({ model, prompt: "fail midway", onError: () => {} }));
  },
  async bad() {
    return failure(() => generateText({ model, prompt: "refused", maxRetries: 0 }));
  },
};

const results = { sdk: {}, ai: {} };
for (const [name, show] of Object.entries(sdk)) results.sdk[name] = await show();
for (const [name, show] of Object.entries(ai)) results.ai[name] = await show();
console.log(JSON.stringify(results));
