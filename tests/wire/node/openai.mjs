// node openai.mjs URL: everything the openai package shows of a server, as JSON.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const url = process.argv[2];
const sent = [];
const client = new OpenAI({
  baseURL: `${url}/openai/v1/`,
  apiKey: "right",
  fetch: (input, init) => {
    sent.push(new Headers(init.headers).get("x-stainless-retry-count"));
    return fetch(input, init);
  },
});
const ask = (text, more = {}) => ({ model: "m", messages: [{ role: "user", content: text }], ...more });
const create = (text, more) => client.chat.completions.create(ask(text, more));
const tools = [{ type: "function", function: { name: "get_time", parameters: { type: "object" } } }];

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

async function failure(promise) {
  sent.length = 0;
  try {
    const answer = await promise;
    if (Symbol.asyncIterator in answer) await all(answer);
    return "no failure";
  } catch (error) {
    const { status, message, code, param, type, requestID } = error;
    return { name: error.constructor.name, status, message, code, param, type, requestID, sent: [...sent] };
  }
}

const shows = {
  async whole() {
    const { data, response, request_id } = await create("echo one two").withResponse();
    return { data, request_id, model: response.headers.get("openai-version") };
  },
  async models() {
    return { list: (await client.models.list()).data, one: await client.models.retrieve("agentrun") };
  },
  async stream() {
    return all(await create("echo one two", { stream: true, stream_options: { include_usage: true } }));
  },
  async helper() {
    const stream = client.chat.completions.stream(ask("think"));
    return { final: await stream.finalChatCompletion(), content: await stream.finalContent() };
  },
  async parse() {
    const format = zodResponseFormat(z.object({ city: z.string() }), "place");
    const answer = await client.chat.completions.parse(ask("json", { response_format: format }));
    return answer.choices[0].message.parsed;
  },
  async refusal() {
    return (await client.chat.completions.stream(ask("refuse")).finalChatCompletion()).choices[0].message;
  },
  async tools() {
    const noon = { ...tools[0].function, function: async () => "noon", parse: JSON.parse };
    const runner = client.chat.completions.runTools(
      ask("time", { stream: true, tools: [{ type: "function", function: noon }] }),
    );
    return { content: await runner.finalContent(), roles: runner.messages.map((m) => m.role) };
  },
  async parallel() {
    const chunks = await all(await create("times", { stream: true, tools }));
    return chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  },
  async errors() {
    return {
      bad: await failure(create("x", { n: 2 })),
      key: await failure(client.withOptions({ apiKey: "wrong" }).models.list()),
      missing: await failure(client.models.retrieve("nothing")),
      route: await failure(client.post("/nowhere", { body: {} })),
      broken: await failure(create("fail")),
      streamed: await failure(create("fail", { stream: true })),
      midway: await failure(create("fail midway", { stream: true })),
    };
  },
  async abort() {
    const stream = await create("endless", { stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    return stream.controller.signal.aborted;
  },
};

const results = {};
for (const [name, show] of Object.entries(shows)) results[name] = await show();
console.log(JSON.stringify(results));
