import { BlobServiceClient } from '@azure/storage-blob';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAuditFiles } from '../../src/audit/audit-client.ts';
import { keepTrend, type TrendPorts, TrendReader } from '../../src/drift/report/trend.ts';
import { createDriftStorage } from '../../src/drift/store/drift-storage-client.ts';
import type { LogRecord } from '../../src/errors/log.ts';
import { entry, newContainer, newTrail } from '../audit/trails.ts';
import { useAzurite } from '../support/azurite.ts';
import { finding, report } from './reports.ts';

const azurite = useAzurite();
const LIMIT = 20_000;
const records: LogRecord[] = [];
const log = (record: LogRecord) => {
  records.push(record);
};

beforeEach(async () => {
  records.length = 0;
  const container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('cmk-drift');
  await container.createIfNotExists();
  for await (const { name } of container.listBlobsFlat()) await container.deleteBlob(name);
});

/** A drift storage, and a trail of its own. */
function world(start: string) {
  let now = new Date(start);
  const container = newContainer(azurite.connectionString);
  const record = newTrail(container, { now: () => now });
  const settings = { storage: { connectionString: azurite.connectionString } };
  const driftStorage = createDriftStorage(settings as Parameters<typeof createDriftStorage>[0], () => {
    throw new Error('A connection string needs no credential.');
  });
  const ports = {
    driftStorage,
    auditWatch: { files: createAuditFiles(container) },
    now: () => now,
  } satisfies TrendPorts;

  return {
    ports,
    revoke: (id: string) => record({ ...entry('k'), id }, LIMIT),
    at: (time: string) => {
      now = new Date(time);
    },
    check: async (id: string, findings = [finding()]) => {
      const made = report({ id, startedOn: now.toISOString(), findings });
      await driftStorage.write(made);
      await keepTrend(made, ports, log);
    },
    trend: async () => new TrendReader().read(ports),
  };
}

describe('the trend', () => {
  it('The trend has the last check of each day and the summary of that day, after the next check', async () => {
    const { at, check, revoke, trend } = world('2026-11-23T03:00:00Z');

    await revoke('r1');
    await check('c1');
    at('2026-11-23T23:30:00Z');

    await check('c2', [
      finding(),
      finding({ id: 'f2', reason: 'ScopeStaleKeyVersion', resource: '/x' }),
      finding({ id: 'f3', reason: 'NoExpiry', severity: 'advice' }),
    ]);

    // After the last check of the day.
    await revoke('r2');
    at('2026-11-24T02:00:00Z');
    await check('c3', []);
    await revoke('r3');

    const days = await trend();
    expect(days).toHaveLength(30);
    expect(days.slice(0, -2).filter(({ findings }) => findings)).toEqual([]);

    expect(days.slice(-2)).toEqual([
      {
        day: '2026-11-23',
        findings: {
          checkedOn: '2026-11-23T23:30:00.000Z',
          complete: true,
          errors: 2,
          warnings: 0,
          advice: 1,
          behind: 2,
        },
        events: { rotations: { finished: 0 }, revocations: 2, restores: 0, complete: true },
      },
      {
        day: '2026-11-24',
        findings: {
          checkedOn: '2026-11-24T02:00:00.000Z',
          complete: true,
          errors: 0,
          warnings: 0,
          advice: 0,
          behind: 0,
        },
        // Until now, not until the check.
        events: { rotations: { finished: 0 }, revocations: 1, restores: 0, complete: true },
      },
    ]);

    expect(records).toEqual([]);
  });

  it('The trend keeps its stored days where the trail cannot be read, and the check completes', async () => {
    const { check, ports, at } = world('2026-11-23T03:00:00Z');

    await check('c1');

    const auditWatch = { files: { ...ports.auditWatch.files, list: () => Promise.reject(new Error('no trail')) } };
    const broken = { ...ports, auditWatch };

    at('2026-11-23T04:00:00Z');

    const findings = [finding(), finding({ id: 'f2' })];

    await keepTrend(report({ id: 'c2', startedOn: '2026-11-23T04:00:00.000Z', findings }), broken, log);

    expect(records).toMatchObject([{ level: 'warning', reason: 'DriftReportNotWritten', report: 'c2' }]);

    expect((await new TrendReader().read(broken)).at(-1)).toMatchObject({
      day: '2026-11-23',
      findings: { errors: 2, behind: 1 },
      events: { revocations: 0 },
    });
  });
});
