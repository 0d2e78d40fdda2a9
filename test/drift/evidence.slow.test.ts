import { BlobServiceClient } from '@azure/storage-blob';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { breakGlass, keyOf } from '../break-glass/break-glass-fixture.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();

const blobs = () => BlobServiceClient.fromConnectionString(wire.connectionString);
beforeEach(async () => {
  for (const name of ['cmk-audit', 'cmk-drift']) {
    for await (const blob of blobs().getContainerClient(name).listBlobsFlat()) {
      await blobs().getContainerClient(name).deleteBlob(blob.name);
    }
  }
});

const check = (): Promise<DriftReport> =>
  runDriftCheck({ id: crypto.randomUUID(), by: 'timer' }, wire.services({ CMK_AUTOFIX: 'none' }), wire.log);
const broken = (report: DriftReport) => report.findings.filter(({ reason }) => reason === 'AuditTrailBroken');
const revoke = () => breakGlass(wire).revoke(keyOf(wire.azure, 1), wire.services());

/** The trail's newest file, with its text. */
async function newestFile() {
  const names: string[] = [];
  for await (const { name } of blobs().getContainerClient('cmk-audit').listBlobsFlat()) names.push(name);

  const blob = blobs()
    .getContainerClient('cmk-audit')
    .getAppendBlobClient(names.sort().at(-1) ?? '');
  const put = async (text: string) => {
    await blob.create();
    await blob.appendBlock(text, Buffer.byteLength(text));
  };

  return { text: (await blob.downloadToBuffer()).toString(), put };
}

describe('the drift check', () => {
  it('The drift check verifies the records since the last check, and logs how far it came', async () => {
    await revoke();
    const first = await check();
    expect(broken(first)).toEqual([]);
    const { seq = 0, hash, file } = first.trailEnd ?? {};
    expect(wire.records).toContainEqual(
      expect.objectContaining({ reason: 'AuditTrailVerified', file, receipt: `${seq}:${hash}` }),
    );
    await revoke();
    expect((await check()).trailEnd?.seq).toBeGreaterThan(seq);
  });

  it('The drift check reports tampering since the last check, raises an alert, and continues behind the last valid record', async () => {
    await revoke();

    const { trailEnd } = await check();
    const { text, put } = await newestFile();

    await put(`${text.split('\n').slice(0, -2).join('\n')}\n`);
    wire.records.length = 0;
    for (let n = 1; n <= 2; n += 1) {
      const report = await check();
      expect(broken(report)).toMatchObject([{ severity: 'error', is: expect.stringMatching(/EndMissing/) }]);
      expect(report.trailEnd).toEqual(trailEnd);
    }

    expect(wire.records.find(({ reason }) => reason === 'AuditTrailBroken')).toMatchObject({ level: 'error' });

    await put(text);

    expect(broken(await check())).toEqual([]);
  });
});
