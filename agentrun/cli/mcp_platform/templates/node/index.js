// A service: HTTP on the port in PORT is all that the platform asks for.
const { createServer } = require("node:http");

const server = createServer((request, response) => {
  const said = request.url === "/health" ? { status: "ok" } : { message: "Hello from my-agent" };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(said));
});

server.listen(Number(process.env.PORT ?? 3000), "0.0.0.0");
// Requests under way are answered before it ends.
process.on("SIGTERM", () => server.close());
