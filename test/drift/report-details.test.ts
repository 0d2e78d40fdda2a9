import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DriftDetails } from '../../src/drift/report/report.ts';
import { compressDetails, joinDetails, readPackedDetails } from '../../src/drift/store/report-details.ts';
import { finding } from './reports.ts';

const since = '2026-07-01T00:00:00.000Z';
const details: DriftDetails = {
  // Longer than a chunk of gunzip, so that chunks end within lines and characters.
  findings: Array.from({ length: 250 }, (_, n) =>
    finding({ id: `f${n}`, is: 'Der Schlüssel ist „alt“.\n\u2028'.repeat(40) }),
  ),
  fixes: Array.from({ length: 101 }, (_, n) => {
    return { finding: `f${n}`, reason: 'StaleKeyVersion', resource: 'r', outcome: 'done', detail: 'Moved.' };
  }),
  unseen: [{ id: 'u', since, lastSeen: since }],
};
const unpacked = (packed: string) => joinDetails(readPackedDetails(packed));
const packed = (text: string) => gzipSync(text).toString('base64');

describe('the details of a drift report in the store', () => {
  it('The stored details of a drift report unpack unchanged, also if they are empty', async () => {
    expect(await unpacked(await compressDetails(details))).toEqual(details);
    const none = { findings: [], fixes: [], unseen: [] };
    expect(await unpacked(await compressDetails(none))).toEqual(none);
  });

  it('The stored details of a drift report have at most 100 entries per line', async () => {
    const sizes: number[] = [];
    for await (const { findings = [], fixes = [], unseen = [] } of readPackedDetails(await compressDetails(details))) {
      sizes.push(findings.length + fixes.length + unseen.length);
    }
    expect(sizes).toEqual([100, 100, 50, 100, 1, 1]);
  });

  it('The details of a drift report are not packed if a list is missing', async () => {
    // Without the pipeline, the error would end the process.
    const lacking = { findings: [], fixes: [] } as unknown as DriftDetails;
    await expect(compressDetails(lacking)).rejects.toThrow(TypeError);
  });

  it.each([
    ['not compressed', Buffer.from('{}').toString('base64'), 'incorrect header check'],
    ['not JSON', packed('{"findings":'), 'JSON'],
    ['invalid by the schema', packed('{"findings":[{}]}'), 'invalid_type'],
    ['without a list', packed('{"findings":[]}\n{"unseen":[]}\n'), 'The details of the report lack fixes.'],
    ['empty', packed(''), 'lack findings, fixes, unseen'],
  ])('The stored details of a drift report are rejected if they are %s', async (_, text, message) => {
    await expect(unpacked(text)).rejects.toThrow(message);
  });
});
