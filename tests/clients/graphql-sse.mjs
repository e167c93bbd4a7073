// npm's graphql-sse follows a page, a connection for each operation; it is cut, and comes back with its cursor.
import { createClient } from 'graphql-sse';
import { EVENTS, POST, Watch, address, incident, postAndCut, token } from './allclear.mjs';
import { openLine } from './line.mjs';

const line = await openLine(address);
const watch = new Watch();
const client = createClient({ url: `http://${line.address}/graphql/stream`, retry: async () => {} });

client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await postAndCut(watch, line);

// Queries, mutations and refusals come as streams of one item.
const results = async (headers, request) => {
  const results = [];
  const other = createClient({ url: `http://${address}/graphql`, headers });
  for await (const result of other.iterate(request)) results.push(result);
  return results;
};
const asked = await results({}, { query: '{ viewer { role } }' });
const posted = await results(
  { authorization: `Bearer ${token}` },
  { query: POST, variables: { input: { incident, body: 'over the stream' } } },
);
const refused = await results({}, { query: '{ nothing }' });
await watch.until('over the stream');

watch.complete = () => {};
client.dispose();
line.close();
const { told } = watch;
console.log(JSON.stringify({ told, connections: line.connections, asked, posted, refused }));
