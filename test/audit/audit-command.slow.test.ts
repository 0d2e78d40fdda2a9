import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';
import { runCmk } from '../support/run-cmk.ts';
import { entry, newContainer, newTrail } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
const RIGHT = 'audit-right';
const TAMPERED = 'audit-tampered';
let last = '';

beforeAll(async () => {
  for (const name of [RIGHT, TAMPERED]) {
    const container = newContainer(azurite.connectionString, name);
    let day = '2026-11-24';
    const record = newTrail(container, { now: () => new Date(`${day}T03:00:00Z`) });
    await record(entry('a'), LIMIT);
    await record(entry('b'), LIMIT);
    day = '2026-11-25';
    const outcome = await record(entry('c'), LIMIT);
    if ('written' in outcome && name === RIGHT) last = `${outcome.written.seq}:${outcome.written.hash}`;
  }
  const blob = newContainer(azurite.connectionString, TAMPERED).getAppendBlobClient('2026-11-24.jsonl');
  const text = (await blob.downloadToBuffer()).toString().replace('"resource":"b"', '"resource":"x"');
  await blob.create();
  await blob.appendBlock(text, text.length);
});

function run(args: readonly string[], env: Record<string, string> = { AzureWebJobsStorage: azurite.connectionString }) {
  return runCmk(undefined, ['audit', ...args], { env });
}

describe('npm run audit', () => {
  it('exits 0 on a right trail and prints its last record', async () => {
    expect(await run(['verify', '--container', RIGHT, '--receipt', last])).toEqual({
      code: 0,
      err: '',
      out: [
        '4 records in 2 files, nothing found.',
        `Last record: ${last}`,
        'Keep it elsewhere: given as --receipt, it lets the next check notice a cut-off end.',
        '',
      ].join('\n'),
    });
  });

  it('exits 1 on a changed line and names its day and number', async () => {
    const { code, out } = await run(['verify', '--container', TAMPERED]);
    expect(code).toBe(1);
    expect(out).toMatch(/^2026-11-24\.jsonl:2 {2}LineChanged {2}The line was changed/);
    expect(out).toContain('1 found');
  });

  it('exits 1 on heads that somebody else has put there, whose names begin no line of their own', async () => {
    const heads = newContainer(azurite.connectionString, 'cmk-audit-heads');
    await heads.createIfNotExists();
    const head = {
      v: 1,
      trail: newContainer(azurite.connectionString, RIGHT).url,
      day: '2026-11-25',
      signedOn: '2026-11-25T03:00:00.000Z',
      file: '\n4 records in 2 files, nothing found.\u001b[2K',
      seq: 9,
      hash: 'a'.repeat(64),
    };
    for (const [day, text] of [
      ['2026-11-25', JSON.stringify(head)],
      ['2026-11-24', JSON.stringify(head)],
    ] as const) {
      await heads.getBlockBlobClient(`${day}.json`).upload(text, Buffer.byteLength(text));
    }
    try {
      const { code, out } = await run(['verify', '--container', RIGHT]);
      expect(code).toBe(1);
      expect(out).toMatch(/HeadMissing {2}Record 9/);
      expect(out).toMatch(/^cmk-audit-heads\/2026-11-24\.json {2}HeadMisplaced/m);
      expect(out).not.toMatch(/^4 records in 2 files, nothing found/m);
      expect(out).not.toContain('\u001b');
    } finally {
      await heads.delete();
    }
  });

  it('exits 1 when a receipt is not honoured', async () => {
    const { code, out } = await run(['verify', '--container', RIGHT, '--receipt', `9:${'a'.repeat(64)}`]);
    expect(code).toBe(1);
    expect(out).toMatch(/ReceiptMissing {2}Record 9/);
  });

  it('starts with the day it is told', async () => {
    const { code, out } = await run(['verify', '--container', TAMPERED, '--from', '2026-11-25']);
    expect(code).toBe(0);
    expect(out).toContain('1 record in 1 file,');
  });

  it('prints JSON when asked for it', async () => {
    const { code, out } = await run(['verify', '--container', TAMPERED, '--json']);
    expect(code).toBe(1);
    const found = { records: 4, files: 2, findings: [{ reason: 'LineChanged', line: 2 }] };
    expect(JSON.parse(out)).toMatchObject({ operation: 'audit verify', result: found });
  });

  it.each<[string, number, string[], Record<string, string> | undefined, RegExp]>([
    ['there is no trail', 3, ['verify', '--container', 'nothing-here'], undefined, /There is no trail in http/],
    ['no storage is set', 2, ['verify'], {}, /AzureWebJobsStorage__accountName is missing/],
    [
      'the storage does not answer',
      5,
      ['verify'],
      {
        AzureWebJobsStorage:
          'DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a;',
      },
      /ECONNREFUSED/,
    ],
    ['the command is unknown', 2, ['repair'], undefined, /repair/],
    ['an option is unknown', 2, ['verify', '--form', 'x'], undefined, /--form/],
    ['a day is none', 2, ['verify', '--from', 'yesterday'], undefined, /is not a day/],
    ['a receipt is none', 2, ['verify', '--receipt', 'x'], undefined, /is not <number>/],
  ])('says why when %s, and exits %i', async (_, status, args, environment, message) => {
    const { code, err } = await run(args, environment);
    expect(code).toBe(status);
    expect(err).toMatch(message);
  });

  it('runs as a command', async () => {
    const env = { ...process.env, AzureWebJobsStorage: azurite.connectionString };
    const args = ['src/cli/main.ts', 'audit', 'verify', '--container', TAMPERED];
    await expect(promisify(execFile)(process.execPath, args, { env })).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining('2026-11-24.jsonl:2  LineChanged'),
    });
  });
});
