import type { KeyScenario, Part } from './key-world.ts';

const REVOKE: Part = { do: 'revoke' };
const REVOKE_AGAIN: Part = { do: 'revoke', after: 'revoke' };
const RESTORE: Part = { do: 'restore', after: 'revoke' };
const LOOK: Part = { do: 'look', late: true, after: 'revoke' };
const LOOK_ANY_TIME: Part = { do: 'look' };
const ROTATE: Part = { do: 'rotate' };
const RETIRE: Part = { do: 'retire' };
const UNRETIRE: Part = { do: 'unretire', after: 'retire' };
const disable = (version: number): Part => ({ do: 'disable', version });
const rewrite = (version: number): Part => ({ do: 'rewrite', version, after: 'revoke' });
const retag = (version: number): Part => ({ do: 'rewrite', version, tagsOnly: true, after: 'revoke' });
const late = { faults: 1, kinds: ['late'] } as const;

export interface NamedScenario {
  readonly name: string;
  /** Takes a minute or more: followed by `npm run simulate -- --every-history` alone. */
  readonly isLong?: true;
  /** Histories with so many switches at most; without it all. */
  readonly switches?: number;
  readonly scenario: KeyScenario;
}

/** All interleavings of so much can be followed. */
export const SCENARIOS: readonly NamedScenario[] = [
  { name: 'one revocation of three versions', scenario: { versions: 3, parts: [REVOKE] } },
  { name: 'two revocations', scenario: { versions: 1, parts: [REVOKE, REVOKE] } },
  { name: 'a revocation and its restore', scenario: { versions: 2, parts: [REVOKE, RESTORE] } },
  {
    name: 'a revocation and its restore, with a late write',
    scenario: { versions: 1, parts: [REVOKE, RESTORE], ...late },
  },
  {
    name: 'a restore and a concurrent revocation',
    scenario: { versions: 1, parts: [REVOKE, RESTORE, REVOKE_AGAIN] },
  },
  {
    name: 'a restore and a concurrent revocation, with clocks five minutes apart',
    scenario: { versions: 1, parts: [{ ...REVOKE, skew: 2.5 }, RESTORE, { ...REVOKE_AGAIN, skew: -2.5 }] },
  },
  { name: 'two revocations and a restore', scenario: { versions: 1, parts: [REVOKE, REVOKE, RESTORE] } },
  { name: 'two restores of one revocation', scenario: { versions: 1, parts: [REVOKE, RESTORE, RESTORE] } },
  {
    name: 'a version that a person disables meanwhile',
    scenario: { versions: 2, parts: [REVOKE, disable(1), RESTORE] },
  },
  {
    name: 'a version that a person disables meanwhile, with a late write',
    scenario: { versions: 1, parts: [REVOKE, disable(1), RESTORE], ...late },
  },
  { name: 'a version that was disabled before', scenario: { versions: 2, off: [1], parts: [REVOKE, RESTORE] } },
  { name: 'a process that is killed at any point', scenario: { versions: 2, kills: 1, parts: [REVOKE, RESTORE] } },
  { name: 'a rotation and a pass during a revocation', scenario: { versions: 1, parts: [REVOKE, ROTATE, LOOK] } },
  {
    name: 'a rotation, a pass and a restore',
    scenario: { versions: 1, parts: [REVOKE, ROTATE, LOOK_ANY_TIME, RESTORE] },
  },
  {
    name: 'a pass beside a restore of two versions',
    scenario: { versions: 2, parts: [REVOKE, RESTORE, LOOK] },
  },
  {
    name: 'a pass beside a restore, with a late write',
    scenario: { versions: 1, parts: [REVOKE, RESTORE, LOOK], ...late },
  },
  {
    name: 'a restore and a concurrent revocation, with a late write and six switches',
    isLong: true,
    switches: 6,
    scenario: { versions: 1, parts: [REVOKE, RESTORE, REVOKE_AGAIN], ...late },
  },
  {
    name: 'a restore and a concurrent revocation, with a late write',
    isLong: true,
    scenario: { versions: 1, parts: [REVOKE, RESTORE, REVOKE_AGAIN], ...late },
  },
  {
    name: 'two revocations and two restores of a version that was disabled before',
    isLong: true,
    scenario: { versions: 1, off: [1], parts: [REVOKE, REVOKE, RESTORE, RESTORE] },
  },
  { name: 'two revocations of two versions', scenario: { versions: 2, parts: [REVOKE, REVOKE] } },
  {
    name: 'two revocations and two restores, with two switches',
    switches: 2,
    scenario: { versions: 1, parts: [REVOKE, REVOKE, RESTORE, RESTORE] },
  },
  {
    name: 'two revocations and two restores of two versions, with one switch',
    switches: 1,
    scenario: { versions: 2, parts: [REVOKE, REVOKE, RESTORE, RESTORE] },
  },
  {
    name: 'two revocations, two restores, a pass and a rotation, with one switch',
    isLong: true,
    switches: 1,
    scenario: { versions: 1, parts: [REVOKE, REVOKE, RESTORE, RESTORE, LOOK_ANY_TIME, ROTATE] },
  },
  {
    name: 'two revocations, two restores and a pass over two versions, with one switch',
    isLong: true,
    switches: 1,
    scenario: { versions: 2, parts: [REVOKE, REVOKE, RESTORE, RESTORE, LOOK_ANY_TIME] },
  },
  {
    name: 'two revocations and two restores of three versions, with one switch',
    isLong: true,
    switches: 1,
    scenario: { versions: 3, parts: [REVOKE, REVOKE, RESTORE, RESTORE] },
  },
  {
    name: 'a version whose tags another tool replaces after a revocation, and a pass',
    scenario: { versions: 1, parts: [REVOKE, rewrite(1), LOOK] },
  },
  {
    name: 'the newest of two versions whose tags another tool replaces after a revocation, and a pass',
    scenario: { versions: 2, parts: [REVOKE, rewrite(2), LOOK] },
  },
  {
    name: 'a disabled version whose tags another tool replaces, and a restore',
    scenario: { versions: 2, parts: [REVOKE, retag(2), { do: 'restore', after: 'rewrite' }] },
  },
  { name: 'a retirement beside a revocation', scenario: { versions: 2, parts: [RETIRE, REVOKE] } },
  {
    name: 'a retirement that is killed beside a revocation',
    scenario: { versions: 2, kills: 1, parts: [RETIRE, REVOKE] },
  },
  {
    name: 'two retirements and one that is undone',
    scenario: { versions: 2, parts: [RETIRE, RETIRE, UNRETIRE] },
  },
  {
    name: 'a retirement beside a revocation and its restore',
    scenario: { versions: 2, parts: [RETIRE, REVOKE, RESTORE] },
  },
  {
    name: 'a retirement that is undone beside a revocation',
    scenario: { versions: 2, parts: [RETIRE, UNRETIRE, REVOKE] },
  },
  {
    name: 'a retirement beside a revocation and its restore, with a late write',
    isLong: true,
    switches: 2,
    scenario: { versions: 2, parts: [RETIRE, REVOKE, RESTORE], ...late },
  },
];
