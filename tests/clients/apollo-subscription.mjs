// Apollo Client follows a page and is cut; the app asks again from the last cursor.
// ALLCLEAR_TRANSPORT says how: `websocket` (GraphQLWsLink) or `multipart` (HttpLink).
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { EVENTS, Watch, address, postAndCut } from './allclear.mjs';
import { openLine } from './line.mjs';

// Browsers have it, and Apollo's link counts on that.
globalThis.WebSocket ??= WebSocket;

const line = await openLine(address);
const links = {
  multipart: () => new HttpLink({ uri: `http://${line.address}/graphql` }),
  websocket: () => new GraphQLWsLink(createClient({ url: `ws://${line.address}/graphql/ws`, retryAttempts: 0 })),
};
const client = new ApolloClient({ cache: new InMemoryCache(), link: links[process.env.ALLCLEAR_TRANSPORT]() });

const watch = new Watch();
const errors = [];
let following;
const follow = () => {
  following = client
    .subscribe({ query: gql(EVENTS), variables: { ...watch.variables }, fetchPolicy: 'no-cache' })
    .subscribe(watch);
};
// Apollo gives an error as the last item, and then completes.
watch.onError = (error) => errors.push(error.message);
watch.complete = follow;
follow();
await postAndCut(watch, line);
const { connections } = line;

// A page that is not there.
const { error } = await new Promise((next) => {
  client.subscribe({ query: gql(EVENTS), variables: { page: 'nowhere' } }).subscribe({ next });
});
const refused = error.errors[0].extensions.code;

following.unsubscribe();
client.stop();
line.close();
console.log(JSON.stringify({ told: watch.told, errors, connections, refused }));
process.exit(0);
