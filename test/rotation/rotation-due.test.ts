import { expect, it } from 'vitest';
import { computeRotationDue } from '../../src/rotation/rotation.ts';

const created = new Date('2026-01-15T10:00:00Z');
const expires = new Date('2028-01-15T10:00:00Z');

it.each([
  ['18 months after it was made', { afterCreate: 'P18M' }, '2027-07-15T10:00:00.000Z'],
  ['30 days before it expires', { beforeExpiry: 'P30D' }, '2027-12-16T10:00:00.000Z'],
  ['a year and a day after it was made', { afterCreate: 'p1y1d' }, '2027-01-16T10:00:00.000Z'],
  ['two weeks before it expires', { beforeExpiry: 'P2W' }, '2028-01-01T10:00:00.000Z'],
  ['whichever is first', { afterCreate: 'P90D', beforeExpiry: 'P30D' }, '2026-04-15T10:00:00.000Z'],
])('A policy rotates a key %s', (_, policy, due) => {
  const version = { createdOn: created, expiresOn: expires };
  expect(computeRotationDue(version, { rotates: true, ...policy })?.toISOString()).toBe(due);
});

it('A month after the 31st is the last day of the next month, as on the command line', () => {
  const version = { createdOn: new Date('2027-01-31T10:00:00Z'), expiresOn: undefined };
  const due = computeRotationDue(version, { rotates: true, afterCreate: 'P1M' });
  expect(due?.toISOString()).toBe('2027-02-28T10:00:00.000Z');
});

it.each([
  ['does not rotate', { rotates: false, afterCreate: 'P90D' }],
  ['does not say when', { rotates: true }],
  ['has a time of an unknown form', { rotates: true, afterCreate: 'every spring' }],
  ['has a time that never comes', { rotates: true, beforeExpiry: 'P30D' }, undefined],
])('The time of the next rotation is unknown when the policy %s', (_, policy, expiresOn = undefined) => {
  expect(computeRotationDue({ createdOn: created, expiresOn }, policy)).toBeUndefined();
});
