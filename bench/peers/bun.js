// The peer Bun: its own publish to a topic (uWebSockets, C++).

import { dlopen } from "bun:ffi"

const REST = " " + "x".repeat(107)
const CLOCK_MONOTONIC = 1
const time = new BigInt64Array(2) // struct timespec; process.hrtime counts from the start of the process here
const { clock_gettime } = dlopen("libc.so.6", { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } }).symbols
const message = () => {
  clock_gettime(CLOCK_MONOTONIC, time)
  return "@" + (time[0] * 1_000_000_000n + time[1]).toString().padStart(19, "0") + REST
}
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("", { status: 400 })),
  websocket: { perMessageDeflate: false, idleTimeout: 0, open: (socket) => socket.subscribe("line"), message() {} },
})
const control = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, bytes) {
      for (const byte of bytes) {
        if (byte === 112) server.publish("line", message())
        if (byte === 110) socket.write(server.subscriberCount("line") + "\n")
      }
    },
  },
})
console.log(server.port, control.port)
