// Apollo Client names its documents by their hash, sends one once, and names it from then on.
import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { address, page } from './allclear.mjs';

const PAGE = gql`
  query Page($page: String!) {
    page(slug: $page) {
      id
      slug
    }
  }
`;

/** What each request holds of its document, and the status of its answer. */
const sent = [];
const record = async (uri, options) => {
  const { query, extensions } = JSON.parse(options.body);
  const response = await fetch(uri, options);
  sent.push({ query: query !== undefined, hash: extensions?.persistedQuery !== undefined, status: response.status });
  return response;
};

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: ApolloLink.from([
    new PersistedQueryLink({ sha256 }),
    new HttpLink({ uri: `http://${address}/graphql`, fetch: record }),
  ]),
});
const slugs = [];
for (let round = 0; round < 3; round += 1) {
  const { data } = await client.query({ query: PAGE, variables: { page }, fetchPolicy: 'network-only' });
  slugs.push(data.page.slug);
}
client.stop();
console.log(JSON.stringify({ slugs, sent }));
