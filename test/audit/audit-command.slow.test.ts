import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useAzurite } from '../support/azurite.ts';
import { runCmk } from '../support/run-cmk.ts';
import { entry, newContainer, newTrail } from './trails.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
const RIGHT = 'audit-right';
const TAMPERED = 'audit-tampered';
let last = '';
const folder = mkdtempSync(join(tmpdir(), 'cmk-audit-'));
afterAll(() => rmSync(folder, { recursive: true }));

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
  it('The audit command exits 0 on an intact trail and prints its last record', async () => {
    expect(await run(['verify', '--container', RIGHT, '--receipt', last])).toEqual({
      code: 0,
      err: '',
      out: [
        'ok: 4 records in 2 files, nothing found.',
        `Last record: ${last}`,
        'Keep it elsewhere: as --receipt it lets the next check detect missing records at the end.',
        '',
      ].join('\n'),
    });
  });

  it('The audit command exits 1 on a changed line and names its day and number', async () => {
    const { code, out } = await run(['verify', '--container', TAMPERED]);
    expect(code).toBe(1);
    expect(out).toMatch(/^2026-11-24\.jsonl:2 {2}LineChanged {2}The line was changed/);
    expect(out).toContain('1 found');
    const later = await run(['verify', '--container', TAMPERED, '--from', '2026-11-25']);
    expect([later.code, later.out]).toEqual([0, expect.stringContaining('1 record in 1 file,')]);
  });

  it('The audit command exits 1 if the log has a record that the end of the trail lacks, even behind a broken line', async () => {
    const file = '\n4 records in 2 files, nothing found.\u001b[2K';
    const log = join(folder, 'log.txt');
    writeFileSync(log, JSON.stringify({ reason: 'AuditTrailVerified', file, receipt: `9:${'a'.repeat(64)}` }));
    const { code, out } = await run(['verify', '--container', RIGHT, '--log', log]);
    expect(code).toBe(1);
    expect(out).toMatch(/EndMissing {2}The trail lacks record 9,/);
    expect(out).not.toMatch(/^(ok: )?4 records in 2 files, nothing found/m);
    expect(out).not.toContain('\u001b');
  });

  it.each<[string, number, string[], Record<string, string> | undefined, RegExp]>([
    ['there is no trail', 3, ['verify', '--container', 'nothing-here'], undefined, /http.* has no audit trail/],
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
  ])('The audit command prints the cause when %s, and exits %i', async (_, status, args, environment, message) => {
    const { code, err } = await run(args, environment);
    expect(code).toBe(status);
    expect(err).toMatch(message);
  });
});
