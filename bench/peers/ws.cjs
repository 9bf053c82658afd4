// The peer ws: the usual loop over all clients.

const { createServer } = require("node:http")
const { WebSocket, WebSocketServer } = require("ws")
const { message, serve } = require("./control.cjs")

const http = createServer()
const wss = new WebSocketServer({ server: http, perMessageDeflate: false })
const publish = () => {
  const text = message()
  for (const client of wss.clients) if (client.readyState === WebSocket.OPEN) client.send(text)
}
serve(http, publish, () => wss.clients.size)
