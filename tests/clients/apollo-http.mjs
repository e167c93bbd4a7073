// Apollo Client asks over HTTP and posts, and its cache takes what the mutation returned for what it had asked before.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { POST, address, incident, page, token } from './allclear.mjs';

const PAGE = gql`
  query Page($page: String!) {
    page(slug: $page) {
      id
      activeIncidents {
        id
        version
      }
    }
  }
`;

const client = new ApolloClient({
  cache: new InMemoryCache(),
  link: new HttpLink({ uri: `http://${address}/graphql`, headers: { authorization: `Bearer ${token}` } }),
});
const variables = { page };
const version = ({ page }) => page.activeIncidents.map(({ version }) => version);

const before = await client.query({ query: PAGE, variables });
const posted = await client.mutate({ mutation: gql(POST), variables: { input: { incident, body: 'over HTTP' } } });
const cached = client.readQuery({ query: PAGE, variables });
const wrong = await client.query({ query: gql`{ nothing }` }).catch(({ errors }) => errors[0].extensions.code);

client.stop();
console.log(
  JSON.stringify({
    before: version(before.data),
    cached: version(cached),
    userErrors: posted.data.incidentUpdatePost.userErrors.length,
    wrong,
  }),
);
