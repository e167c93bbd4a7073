// A line to the server that can be cut: a TCP proxy on a port of its own.
import { connect, createServer } from 'node:net';

/** Opens a line to `host:port`. */
export async function openLine(to) {
  const [host, port] = to.split(':');
  const server = createServer((near) => line.join(near, () => connect(Number(port), host)));
  const line = new Line(server);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return line;
}

class Line {
  /** How many connections went through. */
  connections = 0;
  #server;
  #ends = new Map();
  #waiting = null;

  constructor(server) {
    this.#server = server;
  }

  get address() {
    return `127.0.0.1:${this.#server.address().port}`;
  }

  async join(near, reach) {
    near.on('error', () => {});
    await this.#waiting?.mended;

    const far = reach();
    far.on('error', () => {});
    near.on('close', () => this.#part(near));
    far.on('close', () => this.#part(near));
    this.#ends.set(near, far);
    this.connections += 1;
    near.pipe(far).pipe(near);
  }

  #part(near) {
    near.destroy();
    this.#ends.get(near)?.destroy();
    this.#ends.delete(near);
  }

  /** Cuts what is connected, without a word to either side; who connects from now on waits until it is mended. */
  cut() {
    this.#waiting ??= {};
    this.#waiting.mended ??= new Promise((resolve) => (this.#waiting.mend = resolve));
    for (const [near, far] of this.#ends) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  mend() {
    this.#waiting?.mend();
    this.#waiting = null;
  }

  /** From now on, nothing of what the clients say arrives. */
  mute() {
    for (const [near, far] of this.#ends) near.unpipe(far).resume();
  }

  close() {
    this.#server.close();
    for (const near of this.#ends.keys()) this.#part(near);
  }
}
