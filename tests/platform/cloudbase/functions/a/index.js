// What CloudBase's functions can: values, no value, server-sent events, WebSockets, files, streams, and memory they share.
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { Readable } = require("node:stream");

const MEGABYTE = 1024 * 1024;
const seen = new Set(); // what the client of the events says to have

exports.main = async function (event, context) {
  const path = new URL(context.httpContext.url, "http://here").pathname;
  if (path === "/a/none") return;
  if (path === "/a/events") return events(context.sse());
  if (path.startsWith("/a/seen/")) return { seen: [...seen.add(path.split("/").pop())] };
  if (path === "/a/file") return received(event);
  if (path === "/a/large") return Readable.from(pieces());
  if (path === "/a/count") return { count: (globalThis.count = (globalThis.count ?? 0) + 1) };
  if (context.ws) return echo(context.ws);
  return { path, event };
};

exports.main.handleUpgrade = async function (context) {
  if (context.httpContext.url.endsWith("/refused")) {
    return { allowWebSocket: false, statusCode: 403, body: "no", contentType: "text/plain" };
  }
  return { allowWebSocket: true };
};

// each is sent when the one before has been seen, and the last after a silence in which a heartbeat was
async function events(sse) {
  for (const id of [1, 2, 3]) {
    sse.send({ event: "m", id, data: { at: id } });
    while (!seen.has(String(id))) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  while (!seen.has("heartbeat")) await new Promise((resolve) => setTimeout(resolve, 10));
  sse.end({ data: "end" });
}

function received(event) {
  if (Buffer.isBuffer(event)) return { digest: digest(event) };
  return { field: event.field, file: event.file.originalFilename, digest: digest(readFileSync(event.file.filepath)) };
}

function digest(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function* pieces() {
  for (let number = 0; number < 400; number++) yield Buffer.alloc(MEGABYTE, number);
}

function echo(ws) {
  ws.on("message", (message) => ws.send(`echo ${message.data}`));
  setTimeout(() => ws.send("pushed"), 2000);
}
