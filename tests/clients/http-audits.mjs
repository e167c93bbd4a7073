// Runs every audit of npm's graphql-http against a server, and prints those that fail, as JSON.
// Reads ALLCLEAR_ADDRESS.
import { serverAudits } from 'graphql-http';

const audits = serverAudits({ url: `http://${process.env.ALLCLEAR_ADDRESS}/graphql`, fetchFn: fetch });
const results = [];
for (const audit of audits) {
  const { name, status, reason } = await audit.fn().then((result) => ({ ...result, name: audit.name }));
  results.push({ name, status, reason: reason ?? null });
}
console.log(JSON.stringify({ audits: results.length, failed: results.filter(({ status }) => status !== 'ok') }));
