// Clients of supabase-js, moved by lines of JSON: each command calls one method and answers with what it gave.
import { createInterface } from "node:readline";
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws";

const clients = new Map();
const options = { auth: { autoRefreshToken: false, persistSession: false }, realtime: { transport: WebSocket } };
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

async function answer({ client: name, url, key, method, args }) {
  if (url) {
    clients.set(name, createClient(url, key, options));
    return {};
  }
  const path = method.split(".");
  const last = path.pop();
  const owner = path.reduce((part, step) => part[step], clients.get(name));
  const { data, error } = await owner[last](...args);
  return { data, error: error && { status: error.status, code: error.code, message: error.message } };
}

const lines = createInterface({ input: process.stdin });
lines.on("line", async (text) => {
  const command = JSON.parse(text);
  try {
    say({ reply: command.id, ...(await answer(command)) });
  } catch (thrown) {
    say({ reply: command.id, thrown: String(thrown) });
  }
});
lines.on("close", () => process.exit(0));
