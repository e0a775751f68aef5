// node a2a.mjs URL: what A2A's own JavaScript client makes of a server, as JSON.
import { ClientFactory } from "@a2a-js/sdk/client";

const [url] = process.argv.slice(2);
const client = await new ClientFactory().createFromUrl(url);

const asked = (text, more = {}) => ({
  message: { messageId: `m-${text}`, role: 1, parts: [{ content: { $case: "text", value: text } }], ...more },
});

async function stream(params) {
  const frames = [];
  for await (const frame of client.sendMessageStream(params)) frames.push(frame);
  return frames;
}

const card = await client.getAgentCard();
const whole = await client.sendMessage(asked("hi"));
const frames = await stream(asked("hi"));
const task = await client.getTask({ id: whole.id });
let missing = null;
try {
  await client.getTask({ id: "nothing" });
} catch (error) {
  missing = { name: error.constructor.name, message: error.message };
}
console.log(JSON.stringify({ card, whole, frames, task, missing }));
