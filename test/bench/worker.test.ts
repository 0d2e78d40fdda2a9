import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadInWorker } from '../../bench/worker.ts';

/** Answers the host as the language worker of Azure Functions does; what it answers goes by the folder of the app. */
const WORKER = `
import { connect } from 'node:http2';
import { fieldsOf, part, text, varint } from ${JSON.stringify(join(import.meta.dirname, '../../bench/worker.ts'))};
const uri = process.argv[process.argv.indexOf('--functions-uri') + 1];
const stream = connect(uri).request({ ':method': 'POST', ':path': '/AzureFunctionsRpcMessages.FunctionRpc/EventStream', te: 'trailers' });
const say = (field, content) => {
  const message = Buffer.concat([text(1, 'bench'), part(field, content)]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  stream.write(Buffer.concat([head, message]));
};
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const good = part(3, [number(4, 1)]);
const bad = part(3, [number(4, 0), part(2, [text(2, 'no entry point')])]);
let rest = Buffer.alloc(0);
stream.on('data', (bytes) => {
  rest = Buffer.concat([rest, bytes]);
  while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
    const fields = fieldsOf(rest.subarray(5, 5 + rest.readUInt32BE(1)));
    rest = rest.subarray(5 + rest.readUInt32BE(1));
    for (const { field, content } of fields) {
      if (field === 17) say(16, [good]);
      if (field === 25) {
        const folder = String(fieldsOf(content).find((one) => one.field === 2).content);
        setTimeout(() => say(26, [folder.includes('broken') ? bad : good]), 50);
      }
      if (field === 29) say(30, String(content).includes('empty') ? [] : [text(1, 'a function')]);
    }
  }
});
say(20, [text(2, 'bench')]);
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'worker-'));
  writeFileSync(join(folder, 'worker.mjs'), WORKER);
  writeFileSync(join(folder, 'worker.config.json'), '{"description":{"defaultWorkerPath":"worker.mjs"}}');
});
afterAll(() => rmSync(folder, { recursive: true }));

it('measures from the order to become the app to the answer', async () => {
  const ms = await loadInWorker(folder, '/somewhere/app');
  expect(ms).toBeGreaterThanOrEqual(45);
  expect(ms).toBeLessThan(60_000);
});

it('says what a worker says that fails, and that an app without functions is none', async () => {
  await expect(loadInWorker(folder, '/somewhere/broken')).rejects.toThrow('no entry point');
  await expect(loadInWorker(folder, '/somewhere/empty')).rejects.toThrow('registers no function');
});

it('does not wait for a worker that ends', async () => {
  writeFileSync(join(folder, 'dead.mjs'), 'process.exit(3);');
  writeFileSync(join(folder, 'worker.config.json'), '{"description":{"defaultWorkerPath":"dead.mjs"}}');
  await expect(loadInWorker(folder, '/somewhere/app')).rejects.toThrow('The worker ended with 3');
});
