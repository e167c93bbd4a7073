// urql asks, posts and follows a page, and is cut; the app asks again from the last cursor.
// ALLCLEAR_TRANSPORT says how it subscribes: `fetch` (its own fetchExchange) or `graphql-sse` (its subscriptionExchange).
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-sse';
import { EVENTS, POST, Watch, address, incident, postAndCut, token } from './allclear.mjs';
import { openLine } from './line.mjs';

const line = await openLine(address);
const url = `http://${line.address}/graphql`;
const sse = createClient({ url: `${url}/stream`, retryAttempts: 0 });
const overSse = subscriptionExchange({
  forwardSubscription: (request) => ({
    subscribe: (sink) => ({ unsubscribe: sse.subscribe({ ...request, query: request.query ?? '' }, sink) }),
  }),
});
const own = process.env.ALLCLEAR_TRANSPORT === 'fetch';
const client = new Client({
  url,
  exchanges: own ? [cacheExchange, fetchExchange] : [cacheExchange, overSse, fetchExchange],
  fetchSubscriptions: own,
  fetchOptions: { headers: { authorization: `Bearer ${token}` } },
});

const asked = await client.query('query Viewer { viewer { role } }', {}).toPromise();
const posted = await client.mutation(POST, { input: { incident, body: 'before' } }).toPromise();

const watch = new Watch();
const errors = [];
let following;
const follow = () => {
  following = client.subscription(EVENTS, { ...watch.variables }).subscribe(watch.next);
};
watch.onError = (error) => {
  errors.push(error.name);
  following.unsubscribe();
  follow();
};
follow();
await postAndCut(watch, line);

following.unsubscribe();
sse.dispose();
line.close();
const result = { told: watch.told, errors, connections: line.connections };
console.log(JSON.stringify({ ...result, asked: asked.data, posted: posted.data.incidentUpdatePost.userErrors }));
process.exit(0);
