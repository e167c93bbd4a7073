// npm's graphql-ws follows a page and stops reading, as a suspended tab does. Whoever runs this is told "stalled", waits
// until the server has had enough of it, and writes a line; then it reads again, and comes back with its cursor.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Watch, address, incident, post } from './allclear.mjs';

// Every text many times over: what is not read is soon more than the kernels between us hold.
const EVENTS = `subscription ($page: String!, $after: Cursor) {
  pageEvents(page: $page, after: $after) {
    __typename
    cursor
    ... on IncidentUpdatePosted { update { body ${Array.from({ length: 40 }, (_, i) => `b${i}: body`).join(' ')} } }
  }
}`;
const BODY = 'x'.repeat(20_000);
const CHANGES = 4;

const codes = [];
let closed;
const isClosed = new Promise((resolve) => (closed = resolve));
let socket;
const watch = new Watch();
const client = createClient({
  url: `ws://${address}/graphql/ws`,
  webSocketImpl: WebSocket,
  retryWait: async () => {},
  on: {
    opened: (opened) => (socket = opened),
    closed: ({ code }) => closed(codes.push(code)),
  },
});

client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await watch.until('PageSnapshot');

socket._socket.pause();
const bodies = Array.from({ length: CHANGES }, (_, index) => `${index} ${BODY}`);
for (const body of bodies) await post(body);
console.log(JSON.stringify('stalled'));
process.stdin.once('data', () => socket._socket.resume());
await isClosed;
await watch.until(bodies.at(-1));

const told = watch.told.map((body) => body.split(' ')[0]);
watch.complete = () => {};
await client.dispose();
process.stdin.destroy();
console.log(JSON.stringify({ told, codes }));
