// node ag_ui.mjs URL: what AG-UI's own client makes of a server, as JSON. It checks the order of every stream itself.
import { HttpAgent } from "@ag-ui/client";

const [url] = process.argv.slice(2);
console.error = console.warn = () => {};

async function run(text, { parameters = {}, agent, path = "/ag-ui/agent" } = {}) {
  agent ??= new HttpAgent({ url: url + path, threadId: `thread-${text}` });
  if (text) agent.addMessage({ id: `user-${text}`, role: "user", content: text });
  const events = [];
  let failure = null;
  let result = null;
  try {
    result = await agent.runAgent({ runId: `run-${text}`, ...parameters }, {
      onEvent: ({ event }) => void events.push(event),
    });
  } catch (error) {
    failure = { message: String(error.message ?? error), status: error.status ?? null };
  }
  return { agent, events, failure, result, messages: agent.messages, state: agent.state };
}

async function shown(...given) {
  const { events, failure, messages, state } = await run(...given);
  return { kinds: events.map((event) => event.type), last: events.at(-1) ?? null, failure, messages, state };
}

const pick = { name: "pick", description: "Pick a color", parameters: { type: "object", properties: {} } };

async function clientTool() {
  const first = await run("pick", { parameters: { tools: [pick] } });
  const call = first.agent.messages.at(-1).toolCalls[0];
  first.agent.addMessage({ id: "result", role: "tool", toolCallId: call.id, content: "green" });
  const second = await run("", { agent: first.agent, parameters: { tools: [pick], runId: "run-2" } });
  return { call, pending: first.events.at(-1).outcome, messages: second.messages };
}

async function resumed(status) {
  const agent = new HttpAgent({ url: `${url}/ag-ui/agent`, threadId: `thread-wait-${status}` });
  const asked = await shown("wait", { agent });
  const [{ id }] = asked.last.outcome.interrupts;
  const entry = { interruptId: id, status, ...(status === "resolved" ? { payload: true } : {}) };
  return [asked, await shown("", { agent, parameters: { runId: "run-3", resume: [entry] } })];
}

async function stopped() {
  const agent = new HttpAgent({ url: `${url}/ag-ui/agent`, threadId: "thread-stop" });
  agent.addMessage({ id: "user", role: "user", content: "forever" });
  const kinds = new Set();
  const onEvent = ({ event }) => {
    kinds.add(event.type);
    if (event.type === "TEXT_MESSAGE_CONTENT") agent.abortRun();
  };
  await agent.runAgent({ runId: "run-stop" }, { onEvent }).catch(() => {});
  return { kinds: [...kinds] };
}

console.log(
  JSON.stringify({
    think: await shown("think"),
    otherPath: await shown("think", { path: "/agui/v1/run" }),
    tool: await shown("look"),
    state: await shown("state"),
    interrupt: await shown("ask"),
    failed: await shown("fail midway"),
    refused: await shown("refused"),
    clientTool: await clientTool(),
    resumed: { resolved: await resumed("resolved"), cancelled: await resumed("cancelled") },
    stopped: await stopped(),
  }),
);
