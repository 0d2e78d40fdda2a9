import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Front, startFront } from '../../local/run/front.ts';

const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function instance(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function front(urls: readonly string[]): Promise<Front> {
  const started = await startFront(0, () => urls);
  closing.push(() => started.close());
  return started;
}

const named = (name: string) => instance((_, response) => response.end(name));

describe("the front of the app's instances", () => {
  it('The front sends each request to the next instance, whatever its connection', async () => {
    const { url } = await front([(await named('first')).url, (await named('second')).url]);
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push(await (await fetch(url)).text());
    expect(answers).toEqual(['first', 'second', 'first', 'second']);
  });

  it("The front forwards method, path, host, headers and body, and the instance's answer", async () => {
    const { url: target } = await instance(async (asked, response) => {
      const chunks = await asked.toArray();
      response.writeHead(418, 'Teapot', { 'x-one': ['1', '2'], 'content-type': 'application/json' });
      const { host, 'x-asked': header } = asked.headers;
      response.end(
        JSON.stringify({ method: asked.method, path: asked.url, host, header, body: Buffer.concat(chunks).toString() }),
      );
    });

    const { url } = await front([target]);
    const answer = await fetch(`${url}/a%2fb?c=d`, { method: 'PUT', headers: { 'x-asked': 'é' }, body: 'ü'.repeat(9) });

    expect([answer.status, answer.statusText, answer.headers.get('x-one')]).toEqual([418, 'Teapot', '1, 2']);

    expect(await answer.json()).toEqual({
      method: 'PUT',
      path: '/a%2fb?c=d',
      host: new URL(url).host,
      header: 'é',
      body: 'ü'.repeat(9),
    });
  });

  it('The front answers 503 without an instance, and 502 when an instance ends before it answers', async () => {
    const urls: string[] = [];
    const { url } = await front(urls);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(503);
    urls.push((await instance((asked) => asked.socket.destroy())).url);
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(502);
  });
});
