// Receives the events of livehook's `http` sink: verifies each signature and stores each event once.
//
//     node receiver.js             listens on http://127.0.0.1:8000/events
//
// Needs only Node. Put it behind a web server, or take what you need into your own service. `webhook.secret` holds the secrets,
// one per line, as `livehook keygen --webhook` prints them: two while you change them.

const { createHmac, timingSafeEqual } = require("node:crypto");
const { closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } = require("node:fs");
const { createServer } = require("node:http");

const BODY_BYTES_MAX = 16 * 1024 * 1024;
const CLOCK_SECS_MAX = 300;
const STORE = "received.jsonl";

const secrets = readFileSync("webhook.secret", "utf8").split(/\s+/).filter(Boolean)
  .map((line) => Buffer.from(line.replace("whsec_", ""), "base64"));

// The ids of all stored events. In a real service this is a unique key of your database.
const ids = new Set();
if (existsSync(STORE)) {
  const text = readFileSync(STORE, "utf8");
  // A crash can leave part of a line. livehook got no answer for that event, so it sends the event again.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  if (whole !== text) truncateSync(STORE, Buffer.byteLength(whole));
  for (const line of whole.split("\n").filter(Boolean)) ids.add(JSON.parse(line).id);
}

// Whether livehook signed this body just now (Standard Webhooks).
function isGenuine(headers, body) {
  const { "webhook-id": id = "", "webhook-timestamp": timestamp = "", "webhook-signature": signatures = "" } = headers;
  if (!/^\d+$/.test(timestamp) || Math.abs(Date.now() / 1000 - timestamp) > CLOCK_SECS_MAX) return false;
  const given = signatures.split(" ").map((signature) => Buffer.from(signature));
  return secrets.some((secret) => {
    const digest = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest("base64");
    const expected = Buffer.from(`v1,${digest}`);
    return given.some((each) => each.length === expected.length && timingSafeEqual(each, expected));
  });
}

// Stores the events that are new, and returns them.
function store(events) {
  const fresh = events.filter((event) => !ids.has(event.id));
  const file = openSync(STORE, "a");
  try {
    writeSync(file, fresh.map((event) => JSON.stringify(event) + "\n").join(""));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  for (const event of fresh) ids.add(event.id);
  return fresh;
}

async function read(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

createServer(async (request, response) => {
  try {
    const body = await read(request);
    if (!body) return response.writeHead(413, { connection: "close" }).end();
    if (!isGenuine(request.headers, body)) return response.writeHead(401).end();
    const content = JSON.parse(body);
    // With `batch_events_max`, a body holds a list.
    for (const event of store([content].flat())) console.log(event.id, event.type, event.subject);
    // Only now: livehook sends the event again if this answer gets lost, and `store` ignores it then.
    return response.writeHead(204).end();
  } catch (error) {
    console.error(error);
    return response.writeHead(500).end();
  }
}).listen(8000, "127.0.0.1");
