// npm's graphql-sse, all operations over a single connection: two follow a page, one is ended, the connection is cut,
// and the other goes on with its cursor on a new one.
import { createClient } from 'graphql-sse';
import { EVENTS, POST, Watch, address, incident, postAndCut, token } from './allclear.mjs';
import { openLine } from './line.mjs';

const line = await openLine(address);
let streams = 0;
const client = createClient({
  url: `http://${line.address}/graphql/stream`,
  singleConnection: true,
  headers: () => ({ authorization: `Bearer ${token}` }),
  retry: async () => {},
  on: { connected: () => (streams += 1) },
});
const ask = async (query, variables) => {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
};

const watch = new Watch();
const brief = new Watch();
client.subscribe({ query: EVENTS, variables: watch.variables }, watch);
await watch.until('PageSnapshot');
const end = client.subscribe({ query: EVENTS, variables: brief.variables }, brief);
await brief.until('PageSnapshot');
const completed = new Promise((resolve) => (brief.complete = resolve));
end();
await completed;

const asked = await ask('{ viewer { role } }');
const refused = await ask('{ nothing }').catch(({ message }) => message);
await postAndCut(watch, line);
const posted = await ask(POST, { input: { incident, body: 'over the stream' } });
await watch.until('over the stream');

watch.complete = () => {};
client.dispose();
line.close();
console.log(JSON.stringify({ told: watch.told, brief: brief.told, streams, asked, posted, refused }));
