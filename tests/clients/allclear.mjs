// The server under test, and what every script asks of it.
// Reads ALLCLEAR_ADDRESS, ALLCLEAR_TOKEN, ALLCLEAR_PAGE (a slug) and ALLCLEAR_INCIDENT (an id).

export const {
  ALLCLEAR_ADDRESS: address,
  ALLCLEAR_TOKEN: token,
  ALLCLEAR_PAGE: page,
  ALLCLEAR_INCIDENT: incident,
} = process.env;

export const EVENTS = `subscription Events($page: String!, $after: Cursor) {
  pageEvents(page: $page, after: $after) {
    __typename
    cursor
    ... on IncidentUpdatePosted { update { id body } }
  }
}`;

export const POST = `mutation Post($input: IncidentUpdatePostInput!) {
  incidentUpdatePost(input: $input) { userErrors { code } incident { id version } }
}`;

/** Posts an update to the incident, past the client that is tried. */
export async function post(body, node = address) {
  const response = await fetch(`http://${node}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: POST, variables: { input: { incident, body } } }),
  });
  const { data, errors } = await response.json();
  if (errors || data.incidentUpdatePost.userErrors.length) throw new Error(JSON.stringify({ errors, data }));
}

/**
 * Where a client puts what it is told of the page: a sink, as clients want one.
 *
 * `variables.after` moves on with every event, so that the same request, sent again, goes on where it was.
 */
export class Watch {
  variables = { page };
  told = [];
  #failed = null;
  #wake = () => {};

  /** Does what is needed to go on after an error; by itself an error ends the script. */
  onError = null;

  next = ({ data, errors, error }) => {
    if (errors ?? error) return this.error(errors ?? error);
    const { __typename, cursor, update } = data.pageEvents;
    if (this.told.length && /^Page(Snapshot|Reset)$/.test(__typename)) this.#fail(new Error(`begun anew: ${__typename}`));
    this.variables.after = cursor;
    if (__typename !== 'Heartbeat') this.told.push(update?.body ?? __typename);
    this.#wake();
  };

  error = (error) => {
    if (this.onError) this.onError(error);
    else this.#fail(error instanceof Error ? error : new Error(JSON.stringify(error)));
  };

  complete = () => this.error(new Error('the subscription was completed'));

  #fail(error) {
    this.#failed ??= error;
    this.#wake();
  }

  /** Waits until an event of this kind, or an update of this body, was told. */
  async until(what) {
    for (;;) {
      if (this.#failed) throw this.#failed;
      if (this.told.includes(what)) return;
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}

/** Posts to a page that is watched over a line, also while the line is cut: all of it must be told, each once. */
export async function postAndCut(watch, line) {
  await watch.until('PageSnapshot');
  await post('first');
  await watch.until('first');

  line.cut();
  await post('second');
  await post('third');
  line.mend();
  await watch.until('third');

  await post('fourth');
  await watch.until('fourth');
}
