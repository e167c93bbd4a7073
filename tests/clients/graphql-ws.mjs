// npm's graphql-ws follows a page; its socket is cut, and it comes back by itself, with its cursor.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, Watch, address, postAndCut } from './allclear.mjs';
import { openLine } from './line.mjs';

const line = await openLine(address);
const watch = new Watch();
const client = createClient({
  url: `ws://${line.address}/graphql/ws`,
  webSocketImpl: WebSocket,
  retryWait: async () => {},
});

client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await postAndCut(watch, line);

watch.complete = () => {};
await client.dispose();
line.close();
console.log(JSON.stringify({ told: watch.told, connections: line.connections }));
