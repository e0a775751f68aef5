// node ag_ui_agents.mjs URL PATH...: what AG-UI's own client hears when it says hi at each of these paths, as JSON.
import { HttpAgent } from "@ag-ui/client";

const [url, ...paths] = process.argv.slice(2);
console.error = console.warn = () => {};

async function said(path) {
  const agent = new HttpAgent({ url: url + path, threadId: "thread" });
  agent.addMessage({ id: "1", role: "user", content: "hi" });
  try {
    await agent.runAgent({ runId: "run" });
    return agent.messages.at(-1).content;
  } catch (error) {
    return { status: error.status ?? null, message: String(error.message ?? error) };
  }
}

const heard = {};
for (const path of paths) heard[path] = await said(path);
console.log(JSON.stringify(heard));
