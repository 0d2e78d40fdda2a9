import { countFindings } from '../../src/drift/checks/evaluate.ts';
import type { DriftReport, Finding } from '../../src/drift/report.ts';
import { account, NOW } from './checks/subjects.ts';

export function finding(change: Partial<Finding> = {}): Finding {
  return {
    id: 'f1',
    reason: 'StaleKeyVersion',
    severity: 'error',
    resource: account().id,
    is: 'It is pinned to v1.',
    shouldBe: 'It is pinned to v2.',
    fix: 'Move it.',
    canFix: true,
    action: { kind: 'account', account: account().id, location: 'westeurope', key: 'k' },
    since: NOW.toISOString(),
    ...change,
  };
}

export function report(change: Partial<DriftReport> = {}): DriftReport {
  const findings = change.findings ?? [finding()];
  return {
    version: 1,
    id: 'r1',
    startedOn: NOW.toISOString(),
    finishedOn: NOW.toISOString(),
    by: 'timer',
    complete: true,
    counts: countFindings(findings, [], undefined),
    coverage: { vaults: 1, keys: 1, accounts: 1, dependents: 1, subscriptions: [], eventSubscriptions: true, round: 0 },
    autofix: [],
    findings,
    unseen: [],
    fixes: [],
    pauses: [],
    exemptions: [],
    ...change,
  };
}
