// Sockets of the real client library, moved by lines of JSON: one command a line comes in, one answer or piece of news
// a line goes out.
import { createInterface } from "node:readline";
import { io as io3 } from "socket.io-client-3";
import { io as io4 } from "socket.io-client-4";

const libraries = { 3: io3, 4: io4 };
const sockets = new Map();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

function connect({ socket: name, version, url, transports, auth, headers }) {
  return new Promise((resolve) => {
    const socket = libraries[version](url, {
      transports, auth, extraHeaders: headers, forceNew: true, reconnection: false, timeout: 10000,
    });
    sockets.set(name, socket);
    socket.on("meter-interaction", (payload, ...more) => say({ socket: name, heard: payload, more: more.length }));
    socket.on("disconnect", (reason) => say({ socket: name, gone: reason }));
    socket.on("connect", () => resolve({ id: socket.id, transport: socket.io.engine.transport.name }));
    socket.on("connect_error", (error) => resolve({ error: error.message }));
  });
}

function emit({ socket: name, event, args, patience_ms }) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ silence: true }), patience_ms);
    const sent = args.map((value) => (value === "$binary" ? Buffer.from([0, 255]) : value));
    sockets.get(name).emit(event, ...sent, (...answer) => { clearTimeout(timer); resolve({ answer }); });
  });
}

async function close({ socket: name }) {
  sockets.get(name).disconnect();
  return {};
}

const commands = { connect, emit, close };
const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const command = JSON.parse(line);
  say({ reply: command.id, ...(await commands[command.do](command)) });
});
lines.on("close", () => process.exit(0));
