// node open_responses.mjs URL: what the AI SDK's open-responses provider makes of /responses, as JSON.
import { createOpenResponses } from "@ai-sdk/open-responses";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const provider = createOpenResponses({ name: "agentrun", url: `${process.argv[2]}/openai/v1/responses` });
const model = provider("m");
const tools = {
  get_time: tool({
    description: "The time",
    inputSchema: z.object({ tz: z.string() }),
    execute: async ({ tz }) => `noon in ${tz}`,
  }),
};

async function parts(prompt) {
  const seen = [];
  const result = streamText({ model, prompt, onError: () => {} });
  for await (const part of result.fullStream) {
    const error = part.error && (part.error.message ?? String(part.error));
    seen.push({ type: part.type, text: part.text, finishReason: part.finishReason, error });
  }
  return seen;
}

async function failure(work) {
  try {
    await work();
    return "no failure";
  } catch (error) {
    return { name: error.constructor.name, message: error.message, status: error.statusCode };
  }
}

const whole = await generateText({ model, prompt: "think" });
const tooled = await generateText({ model, prompt: "time", tools, stopWhen: stepCountIs(3) });
const { object } = await generateObject({ model, prompt: "json", schema: z.object({ city: z.string() }) });
console.log(
  JSON.stringify({
    whole: { text: whole.text, reasoning: whole.reasoningText, reason: whole.finishReason, usage: whole.usage },
    stream: await parts("think"),
    ownTool: await parts("look"),
    midway: await parts("fail midway"),
    tools: { text: tooled.text, calls: tooled.steps.map((step) => step.toolCalls.length) },
    object,
    bad: await failure(() => generateText({ model, prompt: "refused", maxRetries: 0 })),
  }),
);
