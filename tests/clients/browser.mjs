// A browser follows a page, with nothing but what it has of its own: an EventSource, which is cut and comes back by
// itself with `Last-Event-ID`; and its own WebSocket under npm's graphql-ws, which is cut too. Both see one origin, as
// where a proxy serves a front end and the API. ALLCLEAR_BROWSER is the program of a Chromium.
import { chromium } from 'playwright-core';
import { EVENTS, Watch, address, page as slug, postAndCut } from './allclear.mjs';
import { openLine } from './line.mjs';

const { ALLCLEAR_BROWSER: executablePath } = process.env;
// It talks to nobody but the server.
const args =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

const DOCUMENT = `subscription ($page: String!) {
  pageEvents(page: $page) { __typename cursor ... on IncidentUpdatePosted { update { body } } }
}`;

const browser = await chromium.launch({ executablePath, args: args.split(' ') });

/** Opens a page of the server's own origin, over a line; the browser tells it what comes, by `tell(name, value)`. */
async function open(line, hear) {
  const page = await browser.newPage();
  await page.goto(`http://${line.address}/healthz`);
  await page.exposeFunction('tell', (name, value) => hear[name]?.(value));
  return page;
}

const events = await openLine(address);
const watch = new Watch();
const unlike = [];
const requested = [];
const page = await open(events, {
  next: ({ data, lastEventId }) => {
    const result = JSON.parse(data);
    if (result.data?.pageEvents.cursor !== lastEventId) unlike.push({ lastEventId, result });
    watch.next(result);
  },
  complete: watch.complete,
  closed: () => watch.error(new Error('the browser gave up')),
});
// With what the browser itself adds to them.
page.on('request', (request) => requested.push(request.allHeaders()));
await page.evaluate(
  ([query, variables]) => {
    const url = `/graphql?${new URLSearchParams({ query, variables })}`;
    window.source = new EventSource(url);
    source.addEventListener('next', ({ data, lastEventId }) => tell('next', { data, lastEventId }));
    source.addEventListener('complete', () => tell('complete'));
    source.addEventListener('error', () => source.readyState === EventSource.CLOSED && tell('closed'));
  },
  [DOCUMENT, JSON.stringify({ page: slug })],
);
await postAndCut(watch, events);
const ids = (await Promise.all(requested)).map((headers) => headers['last-event-id'] ?? null);
await page.close();

const sockets = await openLine(address);
const followed = new Watch();
const socketPage = await open(sockets, {
  next: followed.next,
  error: followed.error,
});
await socketPage.addScriptTag({ path: 'node_modules/graphql-ws/umd/graphql-ws.min.js' });
await socketPage.evaluate(
  ([query, page]) => {
    const url = `ws://${location.host}/graphql/ws`;
    const client = graphqlWs.createClient({ url, retryWait: async () => {}, shouldRetry: () => true });
    const variables = { page };
    client.subscribe(
      { query, variables },
      {
        next: (result) => {
          variables.after = result.data.pageEvents.cursor;
          tell('next', result);
        },
        error: (error) => tell('error', String(error)),
        complete: () => tell('error', 'complete'),
      },
    );
  },
  [EVENTS, slug],
);
await postAndCut(followed, sockets);
await browser.close();

events.close();
sockets.close();
const connections = sockets.connections;
console.log(JSON.stringify({ told: watch.told, ids, unlike, socket: { told: followed.told, connections } }));
