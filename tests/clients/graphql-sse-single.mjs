// npm's graphql-sse, all operations over a single connection: two follow a page, one is ended, the connection is cut,
// and the other goes on with its cursor on a new one.
import { createClient } from 'graphql-sse';
import { EVENTS, POST, Watch, address, incident, postAndCut, token } from './allclear.mjs';
import { openLine } from './line.mjs';

const line = await openLine(address);
let streams = 0;
let operations = 0;
const messages = [];
let isEnded;
const ended = new Promise((resolve) => (isEnded = resolve));
const client = createClient({
  url: `http://${line.address}/graphql/stream`,
  singleConnection: true,
  headers: () => ({ authorization: `Bearer ${token}` }),
  generateID: () => String((operations += 1)),
  retry: async () => {},
  on: {
    connected: () => (streams += 1),
    message: ({ event, data: { id } }) => {
      messages.push(`${event} ${id}`);
      if (messages.at(-1) === 'complete 2') isEnded();
    },
  },
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
brief.complete = () => {};
end();
await ended;

const asked = await ask('{ viewer { role } }');
const refused = await ask('{ nothing }');
await postAndCut(watch, line);
const posted = await ask(POST, { input: { incident, body: 'over the stream' } });
await watch.until('over the stream');

watch.complete = () => {};
client.dispose();
line.close();
const brought = messages.filter((message) => message.endsWith(' 2'));
console.log(JSON.stringify({ told: watch.told, brought, streams, asked, posted, refused }));
