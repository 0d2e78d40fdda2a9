import { describe, expect, it } from 'vitest';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import type { Focus, Subject } from '../../src/drift/changes/focus.ts';
import { mergeResult } from '../../src/drift/changes/merge.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import type { ResourceChange } from '../../src/events/resource-event.ts';
import { account, NOW, rules, UNREAD, type unreadPart, VAULT } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

const ACCOUNT = account().id;
const OTHER = `${ACCOUNT}2`;
const DISK_SET = parseResourceId(
  `/subscriptions/${VAULT.subscriptionId}/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets/des1`,
) as ResourceId;
const low = (id: string) => id.toLowerCase();

function change(id: string, at: string, on = NOW.toISOString()): ResourceChange {
  const concern = at === VAULT.id ? 'vault' : 'account';
  return { id, concern, at, changedBy: { objectId: id, on, operation: 'o', resource: at, confirmed: false } };
}

const focus: Focus = {
  subjects: new Map<string, Subject>([
    [low(ACCOUNT), { kind: 'account', id: ACCOUNT, changed: true }],
    [low(VAULT.id), { kind: 'vault', vault: VAULT, used: false }],
    [low(DISK_SET.id), { kind: 'keyUser', id: DISK_SET }],
  ]),
  resourcesOf: new Map([
    ['a', new Set([low(ACCOUNT)])],
    ['v', new Set([low(ACCOUNT), low(VAULT.id)])],
    ['d', new Set([low(DISK_SET.id)])],
  ]),
};

function merge(
  before: Partial<Parameters<typeof report>[0]>,
  found: readonly Finding[],
  { changes = [change('a', ACCOUNT)], unread = [] as (typeof unreadPart)[], autofix = [] as string[] } = {},
) {
  const input = { focus, result: { found, unread }, changes, rules: { ...rules(), now: NOW }, autofix };
  return mergeResult(report(before), input);
}

describe('the result of checking a few subjects', () => {
  it('The result of a check of a few subjects replaces their findings in the report, and no others', () => {
    const gone = finding({ id: 'gone' });
    const other = finding({ id: 'other', resource: OTHER });
    const ofKey = finding({ id: 'key', reason: 'KeyTooOld', resource: 'https://kv/keys/k' });

    const { report: merged, changes } = merge({ findings: [gone, other, ofKey] }, [finding({ id: 'new' })]);
    expect(merged.findings.map(({ id }) => id).sort()).toEqual(['key', 'new', 'other']);
    expect(merged.counts).toMatchObject({ error: 3, new: 4, gone: 1 });
    expect(changes).toMatchObject([{ id: 'a', found: [{ id: 'new' }], gone: [{ id: 'gone' }], fixed: false }]);
    expect(merged.changes).toEqual(changes);
  });

  it('The result of a check of a few subjects has the author and the time of the change', () => {
    const { report: merged } = merge({ findings: [] }, [finding({ id: 'new', since: '' })]);
    expect(merged.findings[0]).toMatchObject({
      changedBy: { objectId: 'a', confirmed: false },
      since: NOW.toISOString(),
    });
    expect(merged.causes[0]).toMatchObject({ changedBy: { objectId: 'a' } });
  });

  it('The author of a change of the resource itself comes before that of what it depends on', () => {
    const changes = [change('a', ACCOUNT), change('v', VAULT.id)];
    const ofVault = finding({ id: 'vault', reason: 'VaultUnreachable', resource: VAULT.id });
    const { report: merged } = merge({ findings: [] }, [finding({ id: 'new' }), ofVault], { changes });
    expect(merged.findings.map(({ id, changedBy }) => [id, changedBy?.objectId]).sort()).toEqual([
      ['new', 'a'],
      ['vault', 'v'],
    ]);
  });

  it('The result for a resource of another service replaces its findings alone, and not those of its key', () => {
    const stale = (id: string, resource: string) => finding({ id, reason: 'OtherResourceStale', resource });
    const before = [stale('gone', DISK_SET.id), stale('other', `${DISK_SET.id}2`)];
    const { report: merged } = merge({ findings: before }, [stale('new', DISK_SET.id)], {
      changes: [change('d', DISK_SET.id)],
    });
    expect(merged.findings.map(({ id, changedBy }) => [id, changedBy?.objectId]).sort()).toEqual([
      ['new', 'd'],
      ['other', undefined],
    ]);
  });

  it('The result of a check of a few subjects changes nothing the second time, in whatever order events arrive', () => {
    const first = merge({ findings: [] }, [finding({ id: 'new' })]).report;
    const late = change('a', ACCOUNT, '2026-05-31T00:00:00.000Z');
    const again = merge(first, [finding({ id: 'new' })], { changes: [late, change('a', ACCOUNT)] });
    expect(again.report).toEqual(first);
    expect(again.changes).toEqual([]);
  });

  it('The result of a check of a few subjects ends no finding where a part could not be read', () => {
    const part = 'unread' in UNREAD ? [UNREAD.unread] : [];
    const { report: merged } = merge({ findings: [finding({ id: 'old' })] }, [], { unread: part });
    expect(merged.findings.map(({ id }) => id)).toEqual(['old']);
  });

  it('A change stays one change while the app repairs it', () => {
    const found = merge({ findings: [] }, [finding({ id: 'new' })], { autofix: ['StaleKeyVersion'] }).report;
    const { report: merged } = merge(found, []);
    expect(merged.changes).toMatchObject([{ fixed: true, found: [{ id: 'new' }], gone: [{ id: 'new' }] }]);
    expect(merged.changeSeconds).toEqual({ p50: 0, p95: 0, changes: 1 });
  });
});
