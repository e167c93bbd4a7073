// npm's graphql-ws asks, posts and follows a page many times over, all on one socket, with its token in
// `connection_init`. What is refused ends an operation, not the socket; a wrong token ends it.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, POST, Watch, address, incident, token } from './allclear.mjs';

const SUBSCRIPTIONS = 50;

let sockets = 0;
let ponged;
const isPonged = new Promise((resolve) => (ponged = resolve));
const connect = (authorization) =>
  createClient({
    url: `ws://${address}/graphql/ws`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    keepAlive: 100,
    retryAttempts: 0,
    on: { opened: () => (sockets += 1), pong: ponged },
  });
const client = connect(`Bearer ${token}`);
const ask = async (query, variables) => (await client.iterate({ query, variables }).next()).value;

const watches = Array.from({ length: SUBSCRIPTIONS }, () => new Watch());
for (const watch of watches) client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await Promise.all(watches.map((watch) => watch.until('PageSnapshot')));
await isPonged;
const refused = await ask('subscription { nothing }').catch(([error]) => error.extensions.code);
const viewer = await ask('{ viewer { role } }');
const posted = await ask(POST, { input: { incident, body: 'over the socket' } });
await Promise.all(watches.map((watch) => watch.until('over the socket')));
const result = { viewer, posted, refused, heard: watches.map(({ told }) => told), sockets };
for (const watch of watches) watch.complete = () => {};
await client.dispose();

const stranger = connect('Bearer wrong');
const closed = await stranger.iterate({ query: '{ viewer { role } }' }).next().catch(({ code }) => code);
console.log(JSON.stringify({ ...result, closed }));
