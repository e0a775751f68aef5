// node a2a_agents.mjs URL...: the card that A2A's own JavaScript client finds at each of these, and what it hears, as JSON.
import { ClientFactory } from "@a2a-js/sdk/client";

const heard = [];
for (const url of process.argv.slice(2)) {
  const client = await new ClientFactory().createFromUrl(url);
  const task = await client.sendMessage({
    message: { messageId: "m", role: 1, parts: [{ content: { $case: "text", value: "hi" } }] },
  });
  const { name } = await client.getAgentCard();
  heard.push({ name, said: task.artifacts[0].parts[0].content.value });
}
console.log(JSON.stringify(heard));
