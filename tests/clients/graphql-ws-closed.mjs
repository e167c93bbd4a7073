// npm's graphql-ws follows a page, the server closes its socket, and the client comes back by itself, with its cursor.
// With ALLCLEAR_MUTE the server closes because it hears nothing of the client any more. Without, whoever runs this is
// told "watching" and makes the server close; the client comes back to the node at ALLCLEAR_NEXT.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, Watch, address, post } from './allclear.mjs';
import { openLine } from './line.mjs';

const { ALLCLEAR_NEXT: next = address, ALLCLEAR_MUTE: mute } = process.env;

const line = await openLine(address);
const codes = [];
let closed;
const isClosed = new Promise((resolve) => (closed = resolve));
const watch = new Watch();
const client = createClient({
  url: () => `ws://${codes.length ? next : line.address}/graphql/ws`,
  webSocketImpl: WebSocket,
  retryWait: async () => {},
  on: { closed: ({ code }) => closed(codes.push(code)) },
});

client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await watch.until('PageSnapshot');
if (mute) line.mute();
else console.log(JSON.stringify('watching'));
await isClosed;
await post('first', next);
await watch.until('first');

const result = { told: watch.told, codes: [...codes] };
watch.complete = () => {};
await client.dispose();
line.close();
console.log(JSON.stringify(result));
