// Mercurius with its JIT over Allclear's tables in PostgreSQL, put together as its manual says: resolvers with `pg`, and a
// loader where a resolver would run once per row. Page, groups, and components are read once per query.
import Fastify from 'fastify';
import mercurius from 'mercurius';
import pg from 'pg';

// Times are milliseconds in a BIGINT, which a JavaScript number holds exactly.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ connectionString: process.argv[2] });

const typeDefs = /* GraphQL */ `
  type Query { page(slug: String!): Page }
  type Page {
    name: String!
    status: PageStatus!
    componentGroups: [ComponentGroup!]!
    components: [Component!]!
    activeIncidents: [Incident!]!
    incidents(first: Int!): IncidentConnection!
  }
  type PageStatus { indicator: Impact! description: String! }
  type ComponentGroup { id: ID! name: String! status: ComponentStatus! }
  type Component { id: ID! name: String! status: ComponentStatus! group: GroupOfComponent }
  type GroupOfComponent { id: ID! }
  type IncidentConnection { nodes: [Incident!]! }
  type Incident {
    id: ID!
    title: String!
    status: IncidentStatus!
    impact: Impact!
    startedAt: String!
    resolvedAt: String
    updates(first: Int!): UpdateConnection!
  }
  type UpdateConnection { nodes: [Update!]! }
  type Update { id: ID! status: IncidentStatus! body: String! displayAt: String! }
  enum ComponentStatus { OPERATIONAL UNDER_MAINTENANCE DEGRADED_PERFORMANCE PARTIAL_OUTAGE MAJOR_OUTAGE }
  enum IncidentStatus { INVESTIGATING IDENTIFIED MONITORING RESOLVED POSTMORTEM }
  enum Impact { NONE MAINTENANCE MINOR MAJOR CRITICAL }
`;

const KIND = { group: 2, component: 3, incident: 4, update: 5 };

// An id as Allclear writes it: version, kind, UUID.
const globalId = (kind, uuid) =>
  Buffer.concat([Buffer.from([1, kind]), Buffer.from(uuid.replaceAll('-', ''), 'hex')]).toString('base64url');

const instant = (millis) => (millis === null ? null : new Date(millis).toISOString());

const FROM_BEST_TO_WORST = [
  'operational',
  'under_maintenance',
  'degraded_performance',
  'partial_outage',
  'major_outage',
];

const worst = (components) =>
  FROM_BEST_TO_WORST[Math.max(0, ...components.map(({ status }) => FROM_BEST_TO_WORST.indexOf(status)))];

function pageStatus(components) {
  const status = worst(components);
  const shared = components.every((component) => component.status === status);
  const said = (indicator, description) => ({ indicator, description });
  switch (status) {
    case 'major_outage':
      return shared ? said('CRITICAL', 'Major System Outage') : said('MAJOR', 'Partial System Outage');
    case 'partial_outage':
      return shared ? said('MAJOR', 'Partial System Outage') : said('MINOR', 'Minor Service Outage');
    case 'degraded_performance':
      return said('MINOR', shared ? 'Degraded System Service' : 'Partially Degraded Service');
    case 'under_maintenance':
      return said('MAINTENANCE', 'Service Under Maintenance');
    default:
      return said('NONE', 'All Systems Operational');
  }
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// By position among groups and components without a group, then by position within the group.
function inOrder(components, groups) {
  const positions = new Map(groups.map((group) => [group.id, group.position]));
  const place = (component) =>
    positions.has(component.group_id)
      ? [positions.get(component.group_id), component.group_id, component.position, component.id]
      : [component.position, '', 0, component.id];
  return components
    .map((component) => ({ component, place: place(component) }))
    .sort((a, b) => a.place.map((part, index) => compare(part, b.place[index])).find((order) => order !== 0) ?? 0)
    .map(({ component }) => component);
}

const INCIDENTS = `SELECT id, title, status, coalesce(impact_override, peak_impact) AS impact, started_at, resolved_at
  FROM incident WHERE page_id = $1 AND audience = 'public'`;
const NEWEST_FIRST = 'ORDER BY started_at DESC, id DESC';

const resolvers = {
  Query: {
    async page(_, { slug }) {
      const pages = await pool.query('SELECT id, name FROM page WHERE slug = $1 AND archived_at IS NULL', [slug]);
      const [page] = pages.rows;
      if (page === undefined) return null;
      const [groups, components] = await Promise.all([
        pool.query(
          'SELECT id, name, position FROM component_group WHERE page_id = $1 AND archived_at IS NULL ORDER BY position, id',
          [page.id],
        ),
        pool.query(
          'SELECT id, group_id, name, position, status FROM component WHERE page_id = $1 AND archived_at IS NULL',
          [page.id],
        ),
      ]);
      return { ...page, groups: groups.rows, components: inOrder(components.rows, groups.rows) };
    },
  },
  Page: {
    status: ({ components }) => pageStatus(components),
    componentGroups: ({ groups, components }) =>
      groups.map((group) => ({
        ...group,
        status: worst(components.filter((component) => component.group_id === group.id)),
      })),
    async activeIncidents({ id }) {
      const open = "status IN ('investigating', 'identified', 'monitoring')";
      return (await pool.query(`${INCIDENTS} AND ${open} ${NEWEST_FIRST}`, [id])).rows;
    },
    async incidents({ id }, { first }) {
      return { nodes: (await pool.query(`${INCIDENTS} ${NEWEST_FIRST} LIMIT $2`, [id, Math.min(first, 100)])).rows };
    },
  },
  ComponentGroup: {
    id: ({ id }) => globalId(KIND.group, id),
    status: ({ status }) => status.toUpperCase(),
  },
  Component: {
    id: ({ id }) => globalId(KIND.component, id),
    status: ({ status }) => status.toUpperCase(),
    group: ({ group_id: id }) => (id === null ? null : { id: globalId(KIND.group, id) }),
  },
  Incident: {
    id: ({ id }) => globalId(KIND.incident, id),
    status: ({ status }) => status.toUpperCase(),
    impact: ({ impact }) => impact.toUpperCase(),
    startedAt: ({ started_at: at }) => instant(at),
    resolvedAt: ({ resolved_at: at }) => instant(at),
  },
  Update: {
    id: ({ id }) => globalId(KIND.update, id),
    status: ({ status }) => status.toUpperCase(),
    displayAt: ({ display_at: at }) => instant(at),
  },
};

const loaders = {
  Incident: {
    async updates(queries) {
      const { rows } = await pool.query(
        `SELECT id, owner_id, status, body, display_at FROM timeline_update
         WHERE owner_id = ANY($1) AND audience = 'public' ORDER BY display_at, number`,
        [queries.map(({ obj }) => obj.id)],
      );
      const byOwner = grouped(rows);
      return queries.map(({ obj, params }) => ({ nodes: (byOwner.get(obj.id) ?? []).slice(0, params.first) }));
    },
  },
};

// Rows by the incident they belong to.
function grouped(rows) {
  const byOwner = new Map();
  for (const row of rows) {
    const known = byOwner.get(row.owner_id);
    if (known === undefined) byOwner.set(row.owner_id, [row]);
    else known.push(row);
  }
  return byOwner;
}

const app = Fastify({ logger: false });
app.register(mercurius, { schema: typeDefs, resolvers, loaders, jit: 1 });
await app.listen({ host: '127.0.0.1', port: 0 });
console.log(`http://127.0.0.1:${app.server.address().port}/`);
