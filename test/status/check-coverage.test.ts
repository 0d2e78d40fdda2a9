import { expect, it } from 'vitest';
import type { DriftReport } from '../../src/drift/report/report.ts';
import { checkCoverage } from '../../src/status/last-check.ts';
import { account } from '../drift/checks/subjects.ts';
import { finding, report } from '../drift/reports.ts';
import { KEY } from '../support/keys.ts';

const STARTED = new Date('2026-06-01T12:00:00.000Z');
const EARLIER = new Date('2026-06-01T11:00:00.000Z');

function of(change: { complete?: boolean; on?: Date; key?: string; report?: DriftReport; found?: boolean } = {}) {
  const { complete = true, on = STARTED, key = KEY.id, found = false } = change;
  const one = account();
  const subscription = { id: one.subscriptionId, accounts: 1, scopesLookedAt: 1, complete };
  const whole = report({ startedOn: STARTED.toISOString() });
  const newest = { ...whole, coverage: { ...whole.coverage, subscriptions: [subscription] } };
  const lastSeen = new Map([[one.name.toLowerCase(), { key: KEY.id, version: undefined, lastSeen: on }]]);
  const reading = { report: 'report' in change ? change.report : newest, lastSeen };
  return checkCoverage(one, key === '' ? undefined : key, found ? [finding()] : [], reading);
}

it('checkCoverage returns the last check that saw the account with its key', () => {
  expect(of()).toEqual({ lastChecked: STARTED, counts: true });
  // Its subscription was read by the check before, which this one went on with.
  expect(of({ on: EARLIER })).toEqual({ lastChecked: EARLIER, counts: true });
  expect(of({ key: `${KEY.id}2` })).toEqual({ lastChecked: undefined, counts: false });
  expect(of({ key: `${KEY.id}2`, found: true })).toEqual({ lastChecked: STARTED, counts: true });
});

it('checkCoverage does not count an account that the newest check could not read', () => {
  expect(of({ complete: false, on: EARLIER })).toEqual({ lastChecked: EARLIER, counts: false });
  expect(of({ complete: false })).toEqual({ lastChecked: STARTED, counts: true });
  expect(of({ report: undefined })).toEqual({ lastChecked: undefined, counts: false });
});

it('checkCoverage covers an account without a key of its own with its subscription', () => {
  expect(of({ key: '' })).toEqual({ lastChecked: STARTED, counts: true });
  expect(of({ key: '', complete: false })).toEqual({ lastChecked: undefined, counts: false });
});
