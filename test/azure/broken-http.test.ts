import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { createPipelineRequest, type HttpMethods, type PipelineResponse } from '@azure/core-rest-pipeline';
import { afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { certificates } from '../../local/azure/wire/certificates.ts';
import { deadlineHttp } from '../../src/azure/deadline.ts';
import { describeFailure } from '../../src/azure/failure.ts';
import { createKeptHttp } from '../../src/azure/kept-http.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';

/** Connections of which the other side, or the proxy between, does not keep to HTTP. Each test has a proxy of its own. */
let tls: { cert: string | Buffer; key: string | Buffer };

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cmk-broken-'));
  const { cert, key, caPath } = await certificates(folder);
  tls = { cert, key };
  const trusted = getCACertificates();
  setDefaultCACertificates([await readFile(caPath, 'utf8')]);
  await rm(folder, { recursive: true });
  return () => setDefaultCACertificates(trusted);
});
afterEach(() => {
  vi.useRealTimers();
});

const OPENED = 'HTTP/1.1 200 OK\r\n\r\n';

/** Longest time for a request: what is answered is answered within it on a machine that is busy, too. */
const TIME_MS = 2_000;

const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

type Answer = (socket: Socket, request: string) => void;

/** Requests by a proxy of its own to a server that answers each head with `answer`; `connect` is what the proxy says. */
async function through(answer: Answer, connect: string | null = OPENED) {
  const sockets = new Set<Socket>();
  const heads: string[] = [];
  const far = createTlsServer({ cert: tls.cert, key: tls.key }, (socket) => {
    socket
      .on('error', () => {})
      .on('data', (data) => {
        heads.push(String(data));
        answer(socket, String(data));
      });
  });

  const proxy = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    socket.once('data', () => {
      if (connect === null) return;
      socket.write(connect);
      if (connect === OPENED) far.emit('connection', socket);
    });
  });

  const http = deadlineHttp(() => TIME_MS, createKeptHttp());
  const proxyUrl = new URL(`http://127.0.0.1:${await listening(proxy)}`);

  onTestFinished(() => {
    proxy.close();
    for (const socket of sockets) socket.destroy();
  });

  const ask = (method: HttpMethods = 'GET'): Promise<PipelineResponse> => {
    const url = 'https://management.azure.com/';
    const request = createPipelineRequest({ url, method });
    request.headers.set('Accept-Encoding', 'gzip,deflate');
    request.agent = Object.assign(Object.create(null), { proxy: proxyUrl });
    return http.sendRequest(request);
  };

  return { ask, sockets, heads };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const failureOf = (work: Promise<unknown>) => work.then(() => undefined, describeFailure);

const ZIPPED = gzipSync(JSON.stringify({ value: Array.from({ length: 999 }, (_, at) => `version ${at * 7919}`) }));
const HEAD = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: ${ZIPPED.length}\r\n\r\n`;

it.each([
  ['no more comes', () => {}],
  ['its connection ends', (socket: Socket) => socket.end()],
  ['its connection is reset', (socket: Socket) => socket.destroy()],
])(
  'a compressed answer fails within its time limit when %s after half of it',
  async (_, then) => {
    const { ask } = await through((socket) => {
      socket.write(HEAD);
      socket.write(ZIPPED.subarray(0, ZIPPED.length / 2), () => then(socket));
    });
    expect(await failureOf(ask('PATCH'))).toMatchObject({ kind: 'unavailable', status: undefined });
  },
  3 * TIME_MS,
);

it.each([
  'HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}',
  'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 300\r\nContent-Length: 0\r\n\r\n',
  'rubbish\r\n\r\n',
])('an answer of the proxy itself does not count as an answer of Azure: %j', async (connect) => {
  const { ask, sockets } = await through((socket) => socket.destroy(), connect);
  expect(await failureOf(ask())).toMatchObject({ kind: 'unavailable', status: undefined });
  await vi.waitFor(() => expect(sockets.size).toBe(0), ON_ANY_MACHINE);
});

it('a connection to a silent proxy is closed after ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { ask, sockets } = await through(() => {}, null);
  const failed = failureOf(ask());
  while (sockets.size === 0) await new Promise((resolve) => setImmediate(resolve));
  vi.advanceTimersByTime(TIME_MS);
  expect(await failed).toMatchObject({ kind: 'unavailable', status: undefined });
  vi.advanceTimersByTime(10_000 - TIME_MS);
  vi.useRealTimers();
  await vi.waitFor(() => expect(sockets.size).toBe(0), ON_ANY_MACHINE);
});

it('a tunnel to a silent server ends with its request', async () => {
  const { ask, sockets } = await through(() => {}, 'HTTP/1.0 200 OK\r\n\r\n');
  expect(await failureOf(ask())).toMatchObject({ kind: 'unavailable', status: undefined });
  await vi.waitFor(() => expect(sockets.size).toBe(0), ON_ANY_MACHINE);
});

it('idle connections are closed after one broke in the middle of a compressed answer', async () => {
  const waiting: Socket[] = [];
  const known = new Set<Socket>();
  const { ask } = await through((socket) => {
    if (known.has(socket)) {
      socket.write(Buffer.concat([Buffer.from(HEAD), ZIPPED.subarray(0, ZIPPED.length / 2)]));
    } else if (known.add(socket).size > 3) {
      socket.write(EMPTY);
    } else if (waiting.push(socket) === 3) {
      for (const each of waiting) each.write(EMPTY);
    }
  });

  await Promise.all([ask(), ask(), ask()]);

  expect(await failureOf(ask())).toMatchObject({ kind: 'unavailable' });
  expect(await ask()).toMatchObject({ bodyAsText: '{}' });
});

it('a late answer is never paired with the next request, and no write is sent twice', async () => {
  let asked = 0;
  const { ask, heads } = await through((socket) => {
    asked += 1;
    const body = JSON.stringify({ asked });
    const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    if (asked === 2) setTimeout(() => socket.destroyed || socket.write(answer), TIME_MS + 50);
    else socket.write(answer);
  });

  expect(await ask()).toMatchObject({ bodyAsText: '{"asked":1}' });
  expect(await failureOf(ask('PATCH'))).toMatchObject({ kind: 'unavailable' });
  expect(await ask()).toMatchObject({ bodyAsText: '{"asked":3}' });
  expect(heads.map((head) => head.split(' ')[0])).toEqual(['GET', 'PATCH', 'GET']);
});
