import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { getCauseKey, groupCauses, shorten } from '../../src/drift/report/causes.ts';
import type { Finding } from '../../src/drift/report/report.ts';
import { account } from './checks/subjects.ts';
import { finding, report } from './reports.ts';

const of = (id: string, reason = 'StaleKeyVersion') => ({
  id,
  reason,
  about: [`https://kv.vault.azure.net/keys/${id}`],
});
const many = (number: number, change: Partial<Finding> = {}): Finding[] =>
  Array.from({ length: number }, (_, n) => finding({ id: `f${n}`, resource: `${account().id}${n}`, ...change }));
const exemption = { reason: 'CHG-1', until: '2026-07-01' };

describe('the causes of findings', () => {
  it('The causes of findings group what one repair would fix, with the number of resources and the first of them', () => {
    const [cause, ...others] = groupCauses(many(2_000, { command: 'repair it' }));
    expect(others).toEqual([]);

    expect(cause).toMatchObject({
      id: 'c1',
      reason: 'StaleKeyVersion',
      affected: 2_000,
      findings: 2_000,
      exempt: false,
    });

    expect(cause).toMatchObject({ commands: ['repair it'], moreCommands: 0, canFix: 2_000 });
    expect(cause?.sample).toEqual(many(5).map(({ resource }) => resource));
  });

  it('The causes of findings count an account once, with its scopes', () => {
    const { id } = account();
    const findings = [id, `${id}/encryptionScopes/one`, `${id}2`].map((resource) =>
      finding({ id: resource, resource }),
    );
    expect(groupCauses(findings)).toMatchObject([{ affected: 3, accounts: 2 }]);
  });

  it('The causes of findings are sorted by severity, then by number of findings; exempt ones come last', () => {
    const findings = [
      finding({ id: 'f1', cause: of('one') }),
      finding({ id: 'f2', cause: of('two') }),
      finding({ id: 'f3', cause: of('two') }),
      finding({ id: 'f4', cause: of('three'), severity: 'advice' }),
      finding({ id: 'f5', cause: of('one'), exemption }),
    ];
    expect(groupCauses(findings).map(({ id }) => id)).toEqual(['two', 'one', 'three', 'one-exempt']);
  });

  it('The causes of findings have the worst severity of their findings, and the earliest time', () => {
    const findings = [
      finding({ id: 'f1', severity: 'warning', since: '2026-05-02T00:00:00.000Z' }),
      finding({ id: 'f2', since: '2026-05-01T00:00:00.000Z' }),
      finding({ id: 'f3', canFix: false }),
    ];

    expect(groupCauses(findings)).toMatchObject([
      {
        severity: 'error',
        since: '2026-05-01T00:00:00.000Z',
        canFix: 2,
      },
    ]);
  });

  it('The causes of findings are worded by the state that causes the findings', () => {
    const cause = of('key', 'RevocationOpen');
    const findings = [
      finding({ id: 'f1', reason: 'KeyDisabled', is: 'Its version is disabled.', cause }),
      finding({ id: 'f2', reason: 'RevocationOpen', is: 'It was revoked.', cause }),
    ];
    expect(groupCauses(findings)).toMatchObject([{ reason: 'RevocationOpen', is: 'It was revoked.', findings: 2 }]);
  });

  it('The causes of findings include every finding exactly once', () => {
    const some = fc.record({ cause: fc.constantFrom('a', 'b', 'c'), resource: fc.nat(5), exempt: fc.boolean() });
    fc.assert(
      fc.property(fc.array(some), (drawn) => {
        const findings = drawn.map(({ cause, resource, exempt }, n) =>
          finding({ id: `f${n}`, cause: of(cause), resource: `r${resource}`, ...(exempt ? { exemption } : {}) }),
        );
        const causes = groupCauses(findings);

        expect(causes.reduce((sum, one) => sum + one.findings, 0)).toBe(findings.length);
        expect(new Set(causes.map(({ id }) => id)).size).toBe(causes.length);

        for (const { id, affected } of causes) {
          const own = findings.filter((one) => getCauseKey(one) === id);
          expect(affected).toBe(new Set(own.map(({ resource }) => resource)).size);
        }
      }),
    );
  });
});

describe('a published report', () => {
  it('A published report of 10,000 findings with one cause is small', () => {
    const findings = many(10_000, { command: 'az role assignment create …', is: 'No role. '.repeat(40) });
    const fixes = findings.map(({ id, reason, resource }) => ({
      finding: id,
      reason,
      resource,
      outcome: 'failed' as const,
      detail: 'd'.repeat(200),
    }));

    const unseen = findings.map(({ id, since }) => ({ id: `x${id}`, since, lastSeen: since }));
    const whole = report({ findings, fixes, unseen });
    const short = shorten(whole);

    expect(JSON.stringify(short).length).toBeLessThan(100_000);
    expect(short.findings).toHaveLength(5);
    expect('unseen' in short).toBe(false);

    // To shorten what is short already changes nothing.
    expect(shorten({ ...short, unseen: [] })).toEqual(short);
  });

  it('A published report has all findings of small causes, and a sample of each large one', () => {
    expect(shorten(report({ findings: many(20) })).findings).toHaveLength(20);
    expect(shorten(report({ findings: many(21) })).findings).toHaveLength(5);
    const findings = Array.from({ length: 100 }, (_, n) => many(20, { cause: of(`c${n}`) })).flat();
    const short = shorten(report({ findings: findings.map((one, n) => ({ ...one, id: `f${n}` })) }));
    expect(new Set(short.findings.map(({ cause }) => cause.id)).size).toBe(100);
    expect(short.findings.length).toBeLessThan(800);
  });
});
