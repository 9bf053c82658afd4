// The peer Socket.IO: every message emitted to everybody, WebSocket only.

const { createServer } = require("node:http")
const { Server } = require("socket.io")
const { message, serve } = require("./control.cjs")

const http = createServer()
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 600_000, pingTimeout: 600_000 })
serve(http, () => io.emit("m", message()), () => io.of("/").sockets.size)
