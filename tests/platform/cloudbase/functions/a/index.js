// What CloudBase's functions can: values, no value, server-sent events, WebSockets, files, streams, and memory they share.
const { Readable } = require("node:stream");

const MEGABYTE = 1024 * 1024;

exports.main = async function (event, context) {
  const path = new URL(context.httpContext.url, "http://here").pathname;
  if (path === "/a/none") return;
  if (path === "/a/events") return events(context.sse());
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

async function events(sse) {
  for (const id of [1, 2, 3]) {
    sse.send({ event: "m", id, data: { at: id } });
    await new Promise((resolve) => setTimeout(resolve, id === 3 ? 3500 : 300));
  }
  sse.end({ data: "end" });
}

function received(event) {
  if (Buffer.isBuffer(event)) return { bytes: event.length };
  return { field: event.field, file: event.file.originalFilename, size: event.file.size };
}

function* pieces() {
  for (let number = 0; number < 50; number++) yield Buffer.alloc(MEGABYTE, number);
}

function echo(ws) {
  ws.on("message", (message) => ws.send(`echo ${message.data}`));
  setTimeout(() => ws.send("pushed"), 2000);
}
