// Every audit of npm's graphql-http against the server; prints those that fail.
import { serverAudits } from 'graphql-http';
import { address } from './allclear.mjs';

const audits = serverAudits({ url: `http://${address}/graphql`, fetchFn: fetch });
const results = [];
for (const audit of audits) {
  const { status, reason } = await audit.fn();
  results.push({ name: audit.name, status, reason: reason ?? null });
}
console.log(JSON.stringify({ audits: results.length, failed: results.filter(({ status }) => status !== 'ok') }));
