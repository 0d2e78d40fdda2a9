import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A worker that has not answered by then does not. Milliseconds. */
const LIMIT_MS = 60_000;
const REQUEST_ID = 'bench';

/** Numbers of fields in FunctionRpc.proto (Azure/azure-functions-language-worker-protobuf). */
const FIELD = {
  requestId: 1,
  initRequest: 17,
  initResponse: 16,
  reloadRequest: 25,
  reloadResponse: 26,
  metadataRequest: 29,
  metadataResponse: 30,
  startStream: 20,
} as const;

/**
 * Milliseconds that an app takes to be ready in a language worker of Azure Functions: from the host's order to become this
 * app (`FunctionEnvironmentReloadRequest`, as on an instance that has waited for one) to the worker's answer.
 *
 * @param worker folder with worker.config.json, as the Core Tools have it: `workers/node`
 * @throws Error when the worker says that it failed, finds no function, or does not answer
 */
export async function loadInWorker(worker: string, appDir: string): Promise<number> {
  const { description } = JSON.parse(readFileSync(join(worker, 'worker.config.json'), 'utf8')) as {
    description: { defaultWorkerPath: string };
  };
  const server = createServer();
  const streamed = once(server, 'stream') as Promise<[ServerHttp2Stream]>;

  await once(server.listen(0, '127.0.0.1'), 'listening');

  const { port } = server.address() as AddressInfo;
  const child = startWorker(join(worker, description.defaultWorkerPath), port);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`The worker ended with ${code}.`)));
  try {
    const [stream] = await Promise.race([streamed, ended]);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });

    const host = new Host(stream);

    return await Promise.race([become(host, worker, appDir), ended]);
  } finally {
    ended.catch(() => {});
    child.kill('SIGKILL');
    server.close();
  }
}

async function become(host: Host, worker: string, appDir: string): Promise<number> {
  await host.hear(FIELD.startStream);

  // To be warm is to have started, without an app.
  host.say(FIELD.initRequest, [text(1, '4.1040.300'), text(4, worker)]);
  failOn(await host.hear(FIELD.initResponse), 3);

  const settings = Object.entries({ PATH: process.env.PATH ?? '', FUNCTIONS_WORKER_RUNTIME: 'node' });
  const start = performance.now();

  host.say(FIELD.reloadRequest, [
    ...settings.map(([name, value]) => part(1, [text(1, name), text(2, value)])),
    text(2, appDir),
  ]);
  failOn(await host.hear(FIELD.reloadResponse), 3);

  const ms = performance.now() - start;

  host.say(FIELD.metadataRequest, [text(1, appDir)]);

  const functions = fieldsOf(await host.hear(FIELD.metadataResponse)).filter(({ field }) => field === 1);
  if (functions.length === 0) throw new Error(`${appDir} registers no function.`);

  return ms;
}

function startWorker(module: string, port: number): ChildProcess {
  const args = {
    'functions-uri': `http://127.0.0.1:${port}/`,
    'functions-worker-id': 'bench',
    'functions-request-id': REQUEST_ID,
  };

  const said = Object.entries({ ...args, 'functions-grpc-max-message-length': '2147483647' });
  return spawn(process.execPath, [module, ...said.flatMap(([name, value]) => [`--${name}`, value])], {
    env: {},
    stdio: 'ignore',
  });
}

/** The host's end of the stream of messages: gRPC over HTTP/2, each message behind five bytes of head. */
class Host {
  readonly #stream: ServerHttp2Stream;
  readonly #heard = new Map<number, Buffer>();
  #waiting: { readonly field: number; readonly resolve: (content: Buffer) => void } | undefined;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.on('data', (bytes: Buffer) => this.#take(bytes));
    stream.on('error', () => {});
  }

  say(field: number, content: readonly Buffer[]): void {
    const message = Buffer.concat([text(FIELD.requestId, REQUEST_ID), part(field, content)]);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    this.#stream.write(Buffer.concat([head, message]));
  }

  /** The content of the next message of that kind. Others are let pass. */
  hear(field: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`The worker has not sent ${field} in time.`)), LIMIT_MS);
      const done = (content: Buffer): void => {
        clearTimeout(late);
        this.#heard.delete(field);
        resolve(content);
      };
      const heard = this.#heard.get(field);
      if (heard) done(heard);
      else this.#waiting = { field, resolve: done };
    });
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32BE(1)) {
      const length = this.#rest.readUInt32BE(1);
      for (const { field, content } of fieldsOf(this.#rest.subarray(5, 5 + length))) {
        if (this.#waiting?.field === field) this.#waiting.resolve(content);
        else this.#heard.set(field, content);
      }
      this.#rest = this.#rest.subarray(5 + length);
    }
  }
}

/** @param field where the answer has its `StatusResult`: status 4 (1: success), exception 2 with message 2 */
function failOn(answer: Buffer, field: number): void {
  const result = fieldsOf(answer).find((one) => one.field === field);
  const parts = fieldsOf(result?.content ?? Buffer.alloc(0));
  if (parts.some((one) => one.field === 4 && one.number === 1)) return;

  const exception = parts.find((one) => one.field === 2);
  const message =
    exception &&
    fieldsOf(exception.content)
      .find((one) => one.field === 2)
      ?.content.toString();

  throw new Error(`The worker failed: ${message ?? 'it does not say why'}.`);
}

/** Protocol Buffers, as far as it takes: fields that are messages or text, and numbers to be read. */
function part(field: number, content: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(content);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

function text(field: number, value: string): Buffer {
  return part(field, [Buffer.from(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) + 128);
  }
}

/** Bytes of a field by its wire type, where that says it. */
const FIXED_LENGTHS: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

function fieldsOf(message: Buffer): { readonly field: number; readonly content: Buffer; readonly number: number }[] {
  const fields = [];
  let at = 0;
  const next = (): number => {
    for (let value = 0, factor = 1; ; factor *= 128) {
      const byte = message[at] ?? 0;
      at += 1;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };

  while (at < message.length) {
    const tag = next();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    const number = wire === 0 ? next() : 0;
    const length = wire === 2 ? next() : (FIXED_LENGTHS[wire] ?? 0);
    fields.push({ field, number, content: message.subarray(at, at + length) });
    at += length;
  }

  return fields;
}
