import { countFindings } from '../../src/drift/checks/evaluate.ts';
import { groupCauses } from '../../src/drift/report/causes.ts';
import type { Finding, WholeReport } from '../../src/drift/report/report.ts';
import { account, KEY, NOW } from './checks/subjects.ts';

export function finding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'f1',
    reason: 'StaleKeyVersion',
    severity: 'error',
    resource: account().id,
    is: 'It is pinned to v1.',
    shouldBe: 'It is pinned to v2.',
    fix: 'Move it.',
    cause: { id: 'c1', reason: change.reason ?? 'StaleKeyVersion', about: [KEY.id] },
    canFix: true,
    action: { kind: 'account', account: account().id, location: 'westeurope', key: 'k' },
    since: NOW.toISOString(),
    ...change,
  };
}

export function report(change: Partial<WholeReport> = {}): WholeReport {
  const findings = change.findings ?? [finding()];

  return {
    version: 2,
    id: 'r1',
    startedOn: NOW.toISOString(),
    finishedOn: NOW.toISOString(),
    by: 'timer',
    complete: true,
    counts: countFindings(findings, [], undefined),
    coverage: { vaults: 1, keys: 1, accounts: 1, dependents: 1, subscriptions: [], round: 0 },
    openRevocations: [],
    drills: [],
    causes: groupCauses(findings),
    findings,
    unseen: [],
    fixes: [],
    changes: [],
    ...change,
  };
}
