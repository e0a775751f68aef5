// node ai_sdk.mjs URL: what the AI SDK's openai-compatible provider makes of a server, as JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const url = process.argv[2];
let requests = 0;
const provider = createOpenAICompatible({
  name: "agentrun",
  baseURL: `${url}/openai/v1`,
  apiKey: "none",
  includeUsage: true,
  supportsStructuredOutputs: true,
  fetch: (input, init) => {
    requests += 1;
    return fetch(input, init);
  },
});
const model = provider("m");
const tools = {
  get_time: tool({
    description: "The time",
    inputSchema: z.object({ tz: z.string() }),
    execute: async ({ tz }) => `noon in ${tz}`,
  }),
};
const steps = { tools, stopWhen: stepCountIs(3) };

async function streamed(prompt, more = {}) {
  const result = streamText({ model, prompt, onError: () => {}, ...more });
  const parts = [];
  for await (const part of result.fullStream) {
    const { type, text, input, output, toolName, toolCallId, finishReason, usage } = part;
    const error = part.error && { name: part.error.name, message: part.error.message ?? part.error };
    parts.push({ type, text, input, output, toolName, toolCallId, finishReason, usage, error });
  }
  return parts;
}

async function failure(promise) {
  requests = 0;
  try {
    await promise;
    return "no failure";
  } catch (error) {
    const { name, message, statusCode, isRetryable, data } = error.lastError ?? error;
    return { name, message, statusCode, isRetryable, data, requests };
  }
}

const shows = {
  async whole() {
    const { text, reasoningText, finishReason, usage, response } = await generateText({ model, prompt: "think" });
    return { text, reasoningText, finishReason, usage, id: response.id, model: response.modelId };
  },
  async stream() {
    return streamed("think");
  },
  async tools() {
    const { text, steps: taken } = await generateText({ model, prompt: "time", ...steps });
    return { text, steps: taken.map((s) => [s.finishReason, s.toolCalls.length, s.toolResults.length]) };
  },
  async streamedTools() {
    return streamed("time", steps);
  },
  async ownTool() {
    return streamed("look", steps);
  },
  async object() {
    return (await generateObject({ model, prompt: "json", schema: z.object({ city: z.string() }) })).object;
  },
  async silence() {
    return streamed("silence");
  },
  async errors() {
    return {
      bad: await failure(generateText({ model, prompt: "refused" })),
      broken: await failure(generateText({ model, prompt: "fail", maxRetries: 0 })),
      midway: await streamed("fail midway"),
    };
  },
  async abort() {
    const controller = new AbortController();
    const result = streamText({ model, prompt: "endless", abortSignal: controller.signal, onError: () => {} });
    const types = [];
    for await (const part of result.fullStream) {
      types.push(part.type);
      if (part.type === "text-delta") controller.abort();
    }
    return types.at(-1);
  },
};

const results = {};
for (const [name, show] of Object.entries(shows)) results[name] = await show();
console.log(JSON.stringify(results));
