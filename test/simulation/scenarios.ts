import type { KeyScenario, Part } from './key-world.ts';

const REVOKE: Part = { do: 'revoke' };
const REVOKE_AGAIN: Part = { do: 'revoke', after: 'revoke' };
const RESTORE: Part = { do: 'restore', after: 'revoke' };
const LOOK: Part = { do: 'look', late: true, after: 'revoke' };
const LOOK_ANY_TIME: Part = { do: 'look' };
const ROTATE: Part = { do: 'rotate' };
const disable = (version: number): Part => ({ do: 'disable', version });
const late = { faults: 1, kinds: ['late'] } as const;

/** All interleavings of so much can be followed. What takes minutes is for the slow tests. */
export const SCENARIOS: readonly { readonly name: string; readonly slow?: true; readonly scenario: KeyScenario }[] = [
  { name: 'one revocation of three versions', scenario: { versions: 3, parts: [REVOKE] } },
  { name: 'two revocations', scenario: { versions: 1, parts: [REVOKE, REVOKE] } },
  { name: 'a revocation and its restore', scenario: { versions: 2, parts: [REVOKE, RESTORE] } },
  {
    name: 'a revocation and its restore, with a write that comes late',
    scenario: { versions: 1, parts: [REVOKE, RESTORE], ...late },
  },
  {
    name: 'a restore and a revocation that begins meanwhile',
    scenario: { versions: 1, parts: [REVOKE, RESTORE, REVOKE_AGAIN] },
  },
  {
    name: 'the same with clocks five minutes apart',
    scenario: { versions: 1, parts: [{ ...REVOKE, skew: 2.5 }, RESTORE, { ...REVOKE_AGAIN, skew: -2.5 }] },
  },
  { name: 'two revocations and a restore', scenario: { versions: 1, parts: [REVOKE, REVOKE, RESTORE] } },
  { name: 'two restores of one revocation', scenario: { versions: 1, parts: [REVOKE, RESTORE, RESTORE] } },
  {
    name: 'a version that a person disables meanwhile',
    scenario: { versions: 2, parts: [REVOKE, disable(1), RESTORE] },
  },
  {
    name: 'the same, with a write that comes late',
    scenario: { versions: 1, parts: [REVOKE, disable(1), RESTORE], ...late },
  },
  { name: 'a version that was off before', scenario: { versions: 2, off: [1], parts: [REVOKE, RESTORE] } },
  { name: 'a process that is killed at any point', scenario: { versions: 2, kills: 1, parts: [REVOKE, RESTORE] } },
  { name: 'a rotation and a look during a revocation', scenario: { versions: 1, parts: [REVOKE, ROTATE, LOOK] } },
  {
    name: 'a rotation, a look and a restore',
    slow: true,
    scenario: { versions: 1, parts: [REVOKE, ROTATE, LOOK_ANY_TIME, RESTORE] },
  },
  {
    name: 'a look beside a restore of two versions',
    slow: true,
    scenario: { versions: 2, parts: [REVOKE, RESTORE, LOOK] },
  },
  {
    name: 'a look beside a restore, with a write that comes late',
    slow: true,
    scenario: { versions: 1, parts: [REVOKE, RESTORE, LOOK], ...late },
  },
  {
    name: 'a restore and a revocation that begins meanwhile, with a write that comes late',
    slow: true,
    scenario: { versions: 1, parts: [REVOKE, RESTORE, REVOKE_AGAIN], ...late },
  },
  {
    name: 'two revocations and two restores of a version that was off before',
    slow: true,
    scenario: { versions: 1, off: [1], parts: [REVOKE, REVOKE, RESTORE, RESTORE] },
  },
  { name: 'two revocations of two versions', slow: true, scenario: { versions: 2, parts: [REVOKE, REVOKE] } },
];
