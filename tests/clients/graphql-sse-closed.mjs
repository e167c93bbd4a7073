// npm's graphql-sse follows a page at a server that stops, and goes on with its cursor at the node at ALLCLEAR_NEXT.
// ALLCLEAR_MODE is `distinct` or `single`. Whoever runs this is told "watching", and stops the server.
import { createClient } from 'graphql-sse';
import { EVENTS, Watch, address, post } from './allclear.mjs';

const { ALLCLEAR_NEXT: next, ALLCLEAR_MODE: mode } = process.env;

let node = address;
let closed;
const isClosed = new Promise((resolve) => (closed = resolve));
const watch = new Watch();
const client = createClient({
  url: () => `http://${node}/graphql/stream`,
  singleConnection: mode === 'single',
  retry: async () => closed((node = next)),
});

client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await watch.until('PageSnapshot');
console.log(JSON.stringify('watching'));
await isClosed;
await post('first', next);
await watch.until('first');

watch.complete = () => {};
client.dispose();
console.log(JSON.stringify(watch.told));
