import type { AccountDeed, AccountScenario } from './account-scenario.ts';
import { AccountWorld } from './account-world.ts';
import type { World } from './explore.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
/** How many roles there are, and where. */
const PLACES = [
  { roles: 1, hsm: false },
  { roles: 1, hsm: true },
  { roles: 2, hsm: false },
  { roles: 2, hsm: true },
] as const;
const REVOKE: AccountDeed = { do: 'revoke' };
const RESTORE: AccountDeed = { do: 'restore' };
const quiet = (deed: AccountDeed): AccountDeed => ({ ...deed, quiet: true });
const passed = (minutes: number): AccountDeed => quiet({ do: 'minutesPass', minutes });

/** An account, or an encryption scope, is revoked and restored, once more or by several at the same moment. */
export function randomAccountWorld(random: Random): () => World {
  const scope = random() < 0.4;
  const deeds = one<readonly AccountDeed[]>(random, [
    [REVOKE],
    [REVOKE, quiet(RESTORE)],
    [REVOKE, quiet(RESTORE), REVOKE],
    [REVOKE, quiet(RESTORE), quiet(REVOKE)],
    [REVOKE, REVOKE, quiet(RESTORE)],
    [REVOKE, quiet(RESTORE), RESTORE],
    [REVOKE, quiet(RESTORE), quiet(REVOKE), quiet(RESTORE)],
    [REVOKE, RESTORE, REVOKE, RESTORE],
    [REVOKE, RESTORE, REVOKE, passed(20), quiet(RESTORE)],
    [REVOKE, REVOKE, RESTORE, RESTORE, REVOKE],
    [REVOKE, quiet(RESTORE), quiet({ ...RESTORE, again: true })],
    [REVOKE, REVOKE, REVOKE, quiet(RESTORE), RESTORE],
  ]);
  const scenario: AccountScenario = {
    scope,
    ...one(random, PLACES),
    deeds,
    faults: one(random, [0, 1, 1, 2]),
    aim: one(random, [/./, /role \d|abled/, /merge|delete/, /give|Enabled/, /remove|Disabled/, /audit/]),
    kills: one(random, [0, 0, 1]),
    skews: [one(random, [0, 2.5, -2.5]), one(random, [0, 2.5, -2.5])],
    driftChecks: one(random, [0, 0, 2]),
    doubles: one(random, [0, 0, 2]),
  };
  return () => new AccountWorld(scenario);
}

/** A write whose caller gave it up, or was killed, takes effect once the account has been restored, or revoked anew. */
export function randomLateAccountWorld(random: Random): () => World {
  const {
    deeds,
    aim,
    kills = 0,
    together = false,
  } = one<Pick<AccountScenario, 'deeds' | 'aim' | 'together'> & { kills?: number }>(random, [
    { deeds: [REVOKE, quiet(RESTORE)], aim: one(random, [/^remove|Disabled/, /^remove|Disabled/, /^merge/]) },
    {
      deeds: one(random, [
        [REVOKE, quiet(RESTORE), quiet(REVOKE)],
        [REVOKE, quiet(RESTORE), quiet(REVOKE), quiet({ do: 'plantRecord' })],
      ]),
      aim: /^give|Enabled/,
    },
    { deeds: [REVOKE, quiet(RESTORE), REVOKE], aim: /^give|Enabled|^delete/ },
    { deeds: [REVOKE, RESTORE], aim: /^delete/, kills: 1, together: random() < 0.5 },
  ]);
  const scenario: AccountScenario = {
    scope: random() < 0.4,
    ...one(random, PLACES),
    deeds,
    faults: 1 - kills,
    kinds: ['late'],
    aim,
    kills,
    together,
    skews: [0, one(random, [0, 2.5])],
    driftChecks: 0,
  };
  return () => new AccountWorld(scenario);
}

/** Several revocations end with their restore, or one some minutes before its own. */
export function randomKilledAccountWorld(random: Random): () => World {
  const minutes = one(random, [1, 4.5]);
  const { deeds, kills } = one<Pick<AccountScenario, 'deeds' | 'kills'>>(random, [
    { deeds: [REVOKE, REVOKE, RESTORE], kills: 1 },
    { deeds: [REVOKE, REVOKE, REVOKE, RESTORE], kills: 1 },
    { deeds: [REVOKE, passed(minutes), RESTORE], kills: 2 },
  ]);
  const scenario: AccountScenario = {
    scope: random() < 0.4,
    ...one(random, PLACES),
    deeds,
    faults: 0,
    aim: one(random, [/^delete/, /^(find|list|remove|delete)/]),
    kills,
    together: kills === 1,
    skews: [0, one(random, [0, 2.5])],
    driftChecks: 0,
  };
  return () => new AccountWorld(scenario);
}

/** A person gives more while it is revoked, and somebody restores it before the revocation is at its end, or long before that. */
export function randomGrowingAccountWorld(random: Random): () => World {
  const more: AccountDeed = { do: 'giveMoreByHand' };
  const scenario: AccountScenario = {
    scope: false,
    roles: 1,
    hsm: random() < 0.5,
    deeds: one<readonly AccountDeed[]>(random, [
      [REVOKE, more, RESTORE],
      [REVOKE, more, RESTORE, { do: 'minutesPass', minutes: 8, ended: true }],
      [REVOKE, more, REVOKE, RESTORE],
      [REVOKE, RESTORE, more, RESTORE],
    ]),
    faults: one(random, [0, 0, 1]),
    aim: one(random, [/role \d/, /merge|delete/, /audit/]),
    kills: 0,
    skews: [0, one(random, [0, 2.5])],
    driftChecks: 0,
  };
  return () => new AccountWorld(scenario);
}

/** A person's own hand, well after a revocation or a restore. */
export function randomByHandAccountWorld(random: Random): () => World {
  const isScope = random() < 0.5;
  const give = quiet({ do: isScope ? 'enableByHand' : 'giveByHand' });
  const deeds = one<readonly AccountDeed[]>(random, [
    isScope ? [REVOKE, passed(16), give] : [REVOKE, give],
    [REVOKE, passed(16), give],
    [REVOKE, quiet(RESTORE), passed(16), quiet({ do: 'takeByHand' })],
    [REVOKE, quiet(RESTORE), quiet({ do: 'changeIdentity' })],
    [REVOKE, quiet({ do: 'changeIdentity' }), quiet(RESTORE)],
  ]);
  const scenario: AccountScenario = {
    scope: isScope,
    ...one(random, PLACES),
    deeds,
    faults: one(random, [0, 1]),
    aim: /role \d|abled|audit/,
    kills: 0,
    skews: [one(random, [0, 2.5]), 0],
    driftChecks: 2,
  };
  return () => new AccountWorld(scenario);
}
