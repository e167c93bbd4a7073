// A browser opens the explorer. What it would load from the Internet is played by stand-ins, which do what GraphiQL's parts do
// and ask for the same rights; they also try what the page may not. ALLCLEAR_BROWSER is the program of a Chromium.
import { chromium } from 'playwright-core';
import { address } from './allclear.mjs';

const { ALLCLEAR_BROWSER: executablePath } = process.env;
const args =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** Done by the page's own scripts, so that the page's rules hold for it. */
const PROGRAM = `
const outcome = (promise) => promise.then(() => true, () => false);
const loads = (element) =>
  new Promise((resolve, reject) => {
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });
const make = (name, properties) => Object.assign(document.createElement(name), properties);

export async function explore({ url, subscriptionUrl, fetch: send }) {
  const asked = await send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ __typename }' }),
  });
  const socket = new WebSocket(subscriptionUrl, 'graphql-transport-ws');
  const opened = await outcome(new Promise((resolve, reject) => ((socket.onopen = resolve), (socket.onerror = reject))));
  document.head.append(make('style', { textContent: 'body { --styled: yes }' }));
  let evaluated = true;
  try {
    eval('1');
  } catch {
    evaluated = false;
  }
  document.head.append(make('script', { textContent: 'window.injected = true' }));
  document.body.insertAdjacentHTML('beforeend', '<i onclick="window.injected = true"></i>');
  document.body.lastChild.click();
  return {
    may: {
      query: (await asked.json()).data?.__typename === 'Query',
      socket: opened,
      style: getComputedStyle(document.body).getPropertyValue('--styled').trim() === 'yes',
      worker: await window.worker.then(String, () => 'it does not start'),
    },
    mayNot: {
      eval: evaluated,
      inject: window.injected === true,
      data: await outcome(loads(make('script', { type: 'module', src: 'data:text/javascript,window.injected=true' }))),
      script: await outcome(loads(make('script', { src: 'https://evil.example/a.js' }))),
      fetch: await outcome(fetch('https://evil.example/')),
      image: await outcome(loads(make('img', { src: 'https://evil.example/a.png' }))),
    },
  };
}`;

/** A worker of the editor loads what it runs from the script host. It tells what is refused, up to what must be. */
const WORKER = `
import 'https://esm.sh/worker.js';
const refused = [];
addEventListener('securitypolicyviolation', ({ blockedURI }) => {
  refused.push(blockedURI);
  if (blockedURI.startsWith('https://evil.example/')) postMessage(refused);
});
const load = (url) => import(url).catch(() => {});
load('https://esm.sh/later.js').then(() => load('https://evil.example/worker.js'));`;

/** What stands in for a module of the script host, by the beginning of its path. */
const MODULES = [
  ['/react-dom@19.1.0/client', `import { explore } from 'https://esm.sh/program.js';
    export default { createRoot: () => ({ render: () => { window.result = explore(window.options); } }) };`],
  ['/react@19.1.0', `import '@emotion/is-prop-valid'; export default { createElement: () => null };`],
  ['/graphiql@5.2.2/setup-workers/esm.sh', `
    const text = ${JSON.stringify(WORKER)};
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), { type: 'module' });
    window.worker = new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
    });`],
  ['/graphiql@5.2.2', 'export const GraphiQL = 1, HISTORY_PLUGIN = 2;'],
  ['/@graphiql/toolkit', 'export const createGraphiQLFetcher = (options) => { window.options = options; };'],
  ['/@graphiql/plugin-explorer', 'export const explorerPlugin = () => 3;'],
  ['/program.js', PROGRAM],
  ['/worker.js', ''],
  ['/later.js', ''],
];

const browser = await chromium.launch({ executablePath, args: args.split(' ') });
const context = await browser.newContext();
const headers = { 'access-control-allow-origin': '*' };
const missing = [];
await context.route(/^https:/, (route) => {
  const { host, pathname } = new URL(route.request().url());
  if (host !== 'esm.sh') return route.fulfill({ status: 200, body: '' });
  if (pathname.endsWith('.css')) return route.fulfill({ contentType: 'text/css', headers, body: '' });
  const module = MODULES.find(([path]) => pathname.startsWith(path));
  if (module === undefined) missing.push(pathname);
  return route.fulfill({ contentType: 'text/javascript', headers, body: module?.[1] ?? '' });
});
const page = await context.newPage();
const complaints = [];
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
await page.goto(`http://${address}/graphiql`);
await page.waitForFunction(() => window.result, null, { timeout: 20_000 }).catch(() => {});
const result = await page.evaluate(() => window.result);
await browser.close();
console.error(complaints.join('\n'));
console.log(JSON.stringify({ ...result, missing }));
