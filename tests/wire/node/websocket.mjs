// node websocket.mjs URL KEY: what the WebSocket of browsers, which can send no header, makes of a server, as JSON.
const [url, key] = process.argv.slice(2);
const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
const messages = [];
socket.onopen = () => {
  socket.send(JSON.stringify({ type: "auth", key }));
  socket.send(JSON.stringify({ type: "start", id: "1", text: "hi" }));
};
socket.onmessage = ({ data }) => {
  const message = JSON.parse(data);
  messages.push(message);
  if (message.type === "error" || message.event?.type === "run.finished") socket.close();
};
socket.onclose = ({ code }) => console.log(JSON.stringify({ code, messages }));
