import { describe, expect, it } from 'vitest';
import type { LoggedUse, UsageLog } from '../../src/keys/usage-log-client.ts';
import { type Evidence, listReasonsOfLog } from '../../src/retirement/evidence.ts';
import { day, keyVersion } from '../support/keys.ts';

const NOW = day(20);
const OLD = keyVersion(1);
/** Took over on day 11. */
const NEW = keyVersion(10);
const HOUR_MS = 3_600_000;
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS);

const use = (change: Partial<LoggedUse>): LoggedUse => ({
  version: OLD.version,
  operation: 'unwrap',
  lastOn: day(12),
  objectId: 'oid-1',
  appId: undefined,
  ...change,
});
const log = (change: Partial<UsageLog> = {}): Evidence => ({
  log: { uses: [], trackedSince: day(1), trackedUntil: hoursAgo(0.5), silences: [], lastOfClients: [], ...change },
});

describe('the evidence of the log', () => {
  it.each<[string, Evidence]>([
    ['no request was logged', log()],
    ['the version was last used before its successor took over', log({ uses: [use({ lastOn: day(10) })] })],
    ['another version is used', log({ uses: [use({ version: NEW.version, lastOn: NOW })] })],
    ['the log was silent before the successor took over', log({ silences: [{ from: day(5), to: day(10) }] })],
    ['the log begins when the successor took over', log({ trackedSince: day(11) })],
  ])('The log proves that a version is unused if %s', (_, evidence) => {
    expect(listReasonsOfLog(OLD, [OLD, NEW], evidence, NOW)).toEqual([]);
  });

  it.each<[string, Evidence, RegExp]>([
    [
      'the log is unreachable',
      { missing: 'CMK_USAGE_WORKSPACE is not set.' },
      /proves nothing: CMK_USAGE_WORKSPACE is not/,
    ],
    ['a client unwrapped with it', log({ uses: [use({})] }), /used it to unwrap on 2026-01-12T.*, by oid-1\./],
    ['a client wrapped with it', log({ uses: [use({ operation: 'wrap' })] }), /used it to wrap/],
    ['a client decrypted with it', log({ uses: [use({ operation: 'other' })] }), /encrypt, decrypt or sign/],
    ['the client of a use is unknown', log({ uses: [use({ objectId: undefined })] }), /that the log does not name/],
    ['a request named no version', log({ uses: [use({ version: undefined })] }), /without a version/],
    [
      'the log has no entries of the vault',
      log({ trackedSince: undefined, trackedUntil: undefined }),
      /no entries in the log/,
    ],
    ['the log begins too late', log({ trackedSince: day(12) }), /begins on 2026-01-12T.*took over on 2026-01-11T/],
    ['the log is behind', log({ trackedUntil: hoursAgo(2.1) }), /is behind: it ends on/],
    [
      'the log was silent',
      log({ silences: [{ from: day(10), to: day(12) }] }),
      /from 2026-01-10T.* to 2026-01-12T.*off/,
    ],
  ])('The log does not prove that a version is unused if %s', (_, evidence, reason) => {
    expect(listReasonsOfLog(OLD, [OLD, NEW], evidence, NOW)).toEqual([expect.stringMatching(reason)]);
  });

  it('Every use after the direct successor took over counts, even if newer versions followed', () => {
    // A weekly client used the first version long after the second existed.
    const later = keyVersion(17);
    const weekly = log({ uses: [use({ lastOn: day(16) })] });
    expect(listReasonsOfLog(OLD, [OLD, NEW, later], weekly, NOW)).toEqual([expect.stringMatching(/used it to unwrap/)]);
    const retired = { ...NEW, enabled: false };
    expect(listReasonsOfLog(OLD, [OLD, retired, later], weekly, NOW)).toEqual([
      expect.stringMatching(/used it to unwrap/),
    ]);
    // What it has to reach back to is the takeover of the version that is in force.
    expect(listReasonsOfLog(OLD, [OLD, NEW, later], log({ trackedSince: day(15) }), NOW)).toEqual([]);
  });

  it('A version does not count as unused while one of its clients has used no newer version', () => {
    const silent = log({ lastOfClients: [use({ lastOn: day(9), objectId: 'oid-vm' })] });
    expect(listReasonsOfLog(OLD, [OLD, NEW], silent, NOW)).toEqual([
      expect.stringMatching(/used it to unwrap on 2026-01-09T.*, by oid-vm\. .* no other version since/),
    ]);
    const movedOn = log({ lastOfClients: [use({ version: NEW.version, lastOn: day(19) })] });
    expect(listReasonsOfLog(OLD, [OLD, NEW], movedOn, NOW)).toEqual([]);
    const asking = use({ lastOn: day(12) });
    expect(listReasonsOfLog(OLD, [OLD, NEW], log({ uses: [asking], lastOfClients: [asking] }), NOW)).toHaveLength(1);
  });

  it('The log proves nothing while it shows no request for a key that is in use', () => {
    const blind = listReasonsOfLog(OLD, [OLD, NEW], log(), NOW, { used: true });
    expect(blind).toEqual([expect.stringMatching(/shows no request for the key.*although it is used/)]);
    const before = log({ uses: [use({ version: NEW.version, lastOn: day(10) })] });
    expect(listReasonsOfLog(OLD, [OLD, NEW], before, NOW, { used: true })).toEqual(blind);
    const seeing = log({ uses: [use({ version: NEW.version, lastOn: day(19) })] });
    expect(listReasonsOfLog(OLD, [OLD, NEW], seeing, NOW, { used: true })).toEqual([]);
  });

  it('The log proves nothing before a day without a use, counted from the time at which the successor was enabled', () => {
    const enabled = { ...NEW, updatedOn: hoursAgo(47) };
    expect(listReasonsOfLog(OLD, [OLD, enabled], log(), NOW)).toEqual([expect.stringMatching(/unused for 24 hours/)]);
    // Tags may have changed alone, so a use before that counts too.
    const used = log({ uses: [use({ lastOn: hoursAgo(60) })] });
    const touched = { ...NEW, updatedOn: hoursAgo(48) };
    expect(listReasonsOfLog(OLD, [OLD, touched], used, NOW)).toEqual([expect.stringMatching(/used it to unwrap/)]);
  });

  it('The log proves nothing before a day without a use, and nothing without a successor', () => {
    const young = keyVersion(18, { createdOn: hoursAgo(47) });
    const reasons = listReasonsOfLog(OLD, [OLD, young], log(), NOW);
    expect(reasons).toEqual([expect.stringMatching(/unused for 24 hours/)]);
    expect(listReasonsOfLog(OLD, [OLD, keyVersion(18, { createdOn: hoursAgo(48) })], log(), NOW)).toEqual([]);
    expect(listReasonsOfLog(OLD, [OLD], log(), NOW)).toEqual(['No newer version is usable.']);
  });
});
