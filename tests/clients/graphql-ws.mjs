// Watches a page with npm's graphql-ws client while posting to it; is cut off, and comes back with its cursor.
// Prints what it was told, as JSON. Reads ALLCLEAR_ADDRESS, ALLCLEAR_TOKEN, ALLCLEAR_PAGE (a slug), ALLCLEAR_INCIDENT.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { ALLCLEAR_ADDRESS: address, ALLCLEAR_TOKEN: token, ALLCLEAR_PAGE: page, ALLCLEAR_INCIDENT: incident } =
  process.env;

const EVENTS = `subscription ($page: String!, $after: Cursor) {
  pageEvents(page: $page, after: $after) {
    __typename
    cursor
    ... on IncidentUpdatePosted { update { body } }
  }
}`;

const POST = `mutation ($input: IncidentUpdatePostInput!) {
  incidentUpdatePost(input: $input) { userErrors { code } update { number } }
}`;

async function post(body) {
  const response = await fetch(`http://${address}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: POST, variables: { input: { incident, body } } }),
  });
  const { data, errors } = await response.json();
  if (errors || data.incidentUpdatePost.userErrors.length) throw new Error(JSON.stringify({ errors, data }));
}

/** Follows the page after a cursor until `isDone` says so; then the connection is cut, not closed. */
async function follow(after, onEvent) {
  let socket;
  const client = createClient({
    url: `ws://${address}/graphql/ws`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    on: { opened: (opened) => (socket = opened) },
  });
  const events = client.iterate({ query: EVENTS, variables: { page, after } });
  for await (const { data, errors } of events) {
    if (errors) throw new Error(JSON.stringify(errors));
    if (data.pageEvents.__typename === 'Heartbeat') continue;
    if (await onEvent(data.pageEvents)) break;
  }
  socket.terminate();
}

const told = [];
const remember = ({ __typename, cursor, update }) => told.push({ __typename, cursor, body: update?.body ?? null });

await follow(null, async (event) => {
  remember(event);
  if (event.__typename === 'PageSnapshot') await post('first');
  return event.update?.body === 'first';
});

for (const body of ['second', 'third', 'fourth']) await post(body);

await follow(told.at(-1).cursor, async (event) => {
  remember(event);
  if (event.update?.body === 'fourth') await post('fifth');
  return event.update?.body === 'fifth';
});

console.log(JSON.stringify(told));
