// An EventSource as browsers have it (npm's eventsource) follows a page: a GET with a document and no cursor. It is
// cut, and comes back by itself with the `Last-Event-ID` it was told last.
import { EventSource } from 'eventsource';
import { POST, Watch, address, incident, page, postAndCut } from './allclear.mjs';
import { openLine } from './line.mjs';

const EVENTS = `subscription ($page: String!) {
  pageEvents(page: $page) { __typename cursor ... on IncidentUpdatePosted { update { body } } }
}`;

const line = await openLine(address);
const url = new URL(`http://${line.address}/graphql`);
url.searchParams.set('query', EVENTS);
url.searchParams.set('variables', JSON.stringify({ page }));

const watch = new Watch();
const requested = [];
const source = new EventSource(url, {
  fetch: (url, init) => {
    requested.push(init.headers['Last-Event-ID'] ?? null);
    return fetch(url, init);
  },
});
const unlike = [];
source.addEventListener('next', ({ data, lastEventId }) => {
  const result = JSON.parse(data);
  if (result.data?.pageEvents.cursor !== lastEventId) unlike.push({ lastEventId, result });
  watch.next(result);
});
source.addEventListener('complete', watch.complete);
source.addEventListener('error', (error) => {
  if (source.readyState === EventSource.CLOSED) watch.error(error);
});
await postAndCut(watch, line);

// A mutation by GET is refused, or a link could post.
url.searchParams.set('query', POST);
url.searchParams.set('variables', JSON.stringify({ input: { incident, body: 'by a GET' } }));
const { code: refused } = await new Promise((resolve) => (new EventSource(url).onerror = resolve));

source.close();
line.close();
console.log(JSON.stringify({ told: watch.told, requested, unlike, refused }));
