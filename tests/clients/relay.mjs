// relay-compiler takes our schema and documents as a React app has them (relay/src). What it makes of them is sent to
// the server, as the app would: a page, the rest of a connection, things fetched again by their ids, a subscription.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'graphql-ws';
import compiler from 'relay-compiler';
import WebSocket from 'ws';
import { address, incident, page, token } from './allclear.mjs';

/** The text of each operation, by its name. */
async function compile(folder) {
  await cp(join(import.meta.dirname, 'relay/src'), join(folder, 'src'), { recursive: true });
  await cp(join(import.meta.dirname, '../../schema.graphql'), join(folder, 'schema.graphql'));
  const persistConfig = { file: './documents.json' };
  const config = { src: './src', schema: './schema.graphql', language: 'javascript', persistConfig };
  await writeFile(join(folder, 'documents.json'), '{}');
  await writeFile(join(folder, 'relay.config.json'), JSON.stringify(config));
  await promisify(execFile)(compiler, ['--noWatchman', join(folder, 'relay.config.json')], { cwd: folder });
  const documents = Object.values(JSON.parse(await readFile(join(folder, 'documents.json'), 'utf8')));
  return Object.fromEntries(documents.map((text) => [/\w+ (\w+)/.exec(text)[1], text]));
}

const folder = await mkdtemp(join(tmpdir(), 'allclear-relay-'));
const documents = await compile(folder).finally(() => rm(folder, { recursive: true }));

const client = createClient({
  url: `ws://${address}/graphql/ws`,
  webSocketImpl: WebSocket,
  connectionParams: { authorization: `Bearer ${token}` },
});
const send = (name, variables) => client.iterate({ query: documents[name], variables });
const ask = async (name, variables) => {
  const { data, errors } = (await send(name, variables).next()).value;
  if (errors) throw new Error(`${name}: ${JSON.stringify(errors)}`);
  return data;
};

const events = send('ChangesSubscription', { slug: page });
const snapshot = (await events.next()).value;
const shown = (await ask('PageViewQuery', { slug: page, count: 1 })).page;
const { edges, pageInfo } = shown.incidents;
const rest = await ask('PageViewHistoryQuery', { id: shown.id, count: 1, cursor: pageInfo.endCursor });
const again = await ask('PageViewIncidentQuery', { id: edges[0].node.id });
const part = await ask('PageViewComponentQuery', { id: shown.components[0].id });
const both = await ask('ChangesAgainQuery', { ids: [edges[0].node.id, shown.id] });
const posted = await ask('ChangesPostMutation', { input: { incident, body: 'posted' } });
const event = (await events.next()).value;
await client.dispose();

console.log(
  JSON.stringify({
    compiled: Object.keys(documents).sort(),
    incidents: [edges, rest.node.incidents.edges].map(([{ node }]) => node.title),
    again: again.node.title,
    component: part.node.name,
    both: both.nodes.map(({ __typename }) => __typename),
    posted: posted.incidentUpdatePost,
    events: [snapshot, event].map(({ data }) => data.pageEvents.__typename),
    told: event.data.pageEvents.update,
  }),
);
