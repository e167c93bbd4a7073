// graphql-yoga with its JIT, and graphql-ws for the socket, put together as their manuals say: the same fields of the
// same names as the other servers, over yoga's own channel.
import { createServer } from 'node:http';
import { useGraphQlJit } from '@envelop/graphql-jit';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';

const CURSOR = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz';
const AT = '2026-01-01T00:00:00.000Z';

const events = createPubSub();

const posted = (body) => ({
  __typename: 'IncidentUpdatePosted',
  cursor: CURSOR,
  at: AT,
  incident: {
    id: 'aW5jaWRlbnQ6MDEyMzQ1Njc4OWFiY2RlZg',
    title: 'Checkout is slow',
    status: 'INVESTIGATING',
    impact: 'NONE',
  },
  update: { id: 'dXBkYXRlOjAxMjM0NTY3ODlhYmNkZWY', status: 'INVESTIGATING', body },
});

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query { server: String! }
    type Subscription { pageEvents(page: String!): PageEvent! }
    interface PageEvent { cursor: String! at: String! }
    type PageSnapshot implements PageEvent { cursor: String! at: String! }
    type IncidentUpdatePosted implements PageEvent {
      cursor: String!
      at: String!
      incident: Incident!
      update: IncidentUpdate!
    }
    type Incident { id: ID! title: String! status: IncidentStatus! impact: Impact! }
    type IncidentUpdate { id: ID! status: IncidentStatus! body: String! }
    enum IncidentStatus { INVESTIGATING }
    enum Impact { NONE }
  `,
  resolvers: {
    Query: { server: () => 'yoga' },
    Subscription: {
      pageEvents: {
        async *subscribe() {
          const live = events.subscribe('posted');
          yield { pageEvents: { __typename: 'PageSnapshot', cursor: CURSOR, at: AT } };
          for await (const body of live) yield { pageEvents: posted(body) };
        },
      },
    },
  },
});

const yoga = createYoga({ schema, plugins: [useGraphQlJit()], logging: false });

const server = createServer((request, response) => {
  if (request.url !== '/publish') return yoga(request, response);
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    events.publish('posted', Buffer.concat(parts).toString());
    response.writeHead(200, { 'content-length': 0 }).end();
  });
});

useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (ctx, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...ctx,
        req: ctx.extra.request,
        socket: ctx.extra.socket,
        params,
      });
      const args = {
        schema,
        operationName: params.operationName,
        document: parse(params.query),
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
      const errors = validate(args.schema, args.document);
      return errors.length > 0 ? errors : args;
    },
  },
  new WebSocketServer({ server, path: '/graphql/ws' }),
);

server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
