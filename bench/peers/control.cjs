// What every compared server understands, for Node; see control.py.

const net = require("node:net")

const REST = " " + "x".repeat(107)

exports.message = () => "@" + process.hrtime.bigint().toString().padStart(19, "0") + REST

/** Prints both ports once `server` listens. */
exports.serve = (server, publish, count) => {
  const control = net.createServer((socket) => {
    socket.setNoDelay(true)
    socket.on("error", () => {})
    socket.on("data", (bytes) => {
      for (const byte of bytes) {
        if (byte === 112) publish()
        if (byte === 110) socket.write(count() + "\n")
      }
    })
  })
  server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 }, () =>
    control.listen(0, "127.0.0.1", () => console.log(server.address().port, control.address().port)),
  )
}
