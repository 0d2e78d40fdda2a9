import type { AppScenario, Deed } from './app-scenario.ts';
import { AppWorld } from './app-world.ts';
import type { World } from './explore.ts';
import { SPOILS } from './spoil-index.ts';

type Random = () => number;
type Optional = { readonly [K in keyof AppScenario]?: AppScenario[K] | undefined };

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

/** During no call at all. */
const NOTHING = /^$/;

/** What may go wrong, one kind of call a history: what goes wrong everywhere goes wrong nowhere that matters. */
const AIMS: readonly RegExp[] = [
  /./,
  /^patch st/,
  /^patch st/,
  /^audit/,
  /^save/,
  /acquire|release/,
  /^send/,
  /^(list|get)/,
  /^index/,
];

/** A history of the app, its instances, queues and accounts, that depends on the seed alone. */
export function randomAppWorld(random: Random): () => World {
  const account = () => Math.floor(random() * 3);
  const deeds: Deed[] = [{ do: 'rotate', events: one(random, [1, 1, 2]) }];
  const more = 1 + Math.floor(random() * 5);
  for (let n = 0; n < more; n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'rotate', events: one(random, [0, 1, 2]) },
        { do: 'rotate', events: 1 },
        { do: 'rotate', events: 1 },
        { do: 'timePasses', seconds: one(random, [5, 30, 45]) },
        { do: 'timePasses', seconds: one(random, [5, 30, 45]) },
        { do: 'spoilIndex', how: one(random, SPOILS) },
        { do: 'pin', account: account(), version: Math.floor(random() * 5) },
        { do: 'rotateAndPin', account: account() },
        { do: 'rotateAndPin', account: account() },
        { do: 'unpin', account: account() },
        { do: 'switchKey', account: account() },
        { do: 'disableNewest' },
        { do: 'revoke' },
        { do: 'restore' },
      ]),
    );
  }
  return make(random, { deeds });
}

/** The same of a key whose newest version nears its expiry. */
export function randomRotationWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'nearExpiryEvent' }, { do: 'nearExpiryEvent' }];
  const more = Math.floor(random() * 3);
  for (let n = 0; n < more; n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'nearExpiryEvent' },
        { do: 'nearExpiryEvent' },
        { do: 'nearExpiryEvent' },
        { do: 'timePasses', seconds: 30 },
        { do: 'revoke' },
        { do: 'restore' },
      ]),
    );
  }
  const harm = one<Optional>(random, [
    { faults: 1, kinds: ['late', 'hangs'], aim: /^rotate/ },
    { faults: 1, kinds: ['late', 'hangs'], aim: /^rotate/ },
    { kills: 1, aim: /^rotate/ },
    { faults: 1, kinds: ['late', 'hangs'], aim: /^rotate/ },
    { aim: one(random, [/^(patch|save|audit)/, /./]) },
  ]);
  const during = one(random, [NOTHING, NOTHING, undefined]);
  return make(random, { deeds, accounts: ['pinned'], nearExpiry: true, during, ...harm });
}

/** Operators who pause and resume, canaries and waves, and an index that gets lost. */
export function randomRolloutWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'rotate', events: one(random, [1, 2]) }];
  // Nobody calls who would be cut off by hours that pass.
  const isLong = random() < 0.5;
  const times = isLong ? [45, 300, 4_000] : [5, 30, 45];
  if (isLong) {
    deeds.push({ do: 'pause', seconds: undefined }, { do: 'rotate', events: 1 });
    deeds.push({ do: 'timePasses', seconds: 300 }, { do: 'rotate', events: 1 });
  }
  for (let n = 0; n < 1 + Math.floor(random() * 5); n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'rotate', events: 1 },
        { do: 'pause', seconds: one(random, [undefined, 30, 600]) },
        { do: 'pause', seconds: undefined },
        { do: 'resume' },
        { do: 'timePasses', seconds: one(random, times) },
        { do: 'timePasses', seconds: one(random, times) },
        { do: 'spoilIndex', how: one(random, SPOILS) },
        { do: 'controlLost' },
        { do: 'pin', account: Math.floor(random() * 3), version: Math.floor(random() * 3) },
        ...(isLong ? [] : ([{ do: 'revoke' }, { do: 'restore' }] as const)),
      ]),
    );
  }
  const accounts = one<AppScenario['accounts']>(random, [
    ['pinned', 'pinned'],
    ['pinned', 'automatic', 'pinned'],
  ]);
  const waves = one<NonNullable<AppScenario['waves']>>(random, [[], ['2', '1'], [undefined, '1', '0']]);
  return make(random, { deeds, accounts, waves, canary: one(random, [0, 1, 2]) });
}

/** Looks and work that are lost, drift checks beside each other, canaries and waves, and accounts that a check is to leave. */
export function randomLostLooksWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'rotate', events: one(random, [0, 1, 1]) }];
  for (let n = 0; n < 2 + Math.floor(random() * 4); n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'loseMessages', kind: one(random, ['rotation', 'account', 'key']) },
        { do: 'loseMessages', kind: 'rotation' },
        { do: 'driftCheck' },
        { do: 'driftCheck' },
        { do: 'timePasses', seconds: one(random, [5, 60]) },
        { do: 'timePasses', seconds: one(random, [1_200, 1_200, 4_000]), quietly: true },
        { do: 'rotate', events: one(random, [0, 1]) },
        { do: 'pin', account: Math.floor(random() * 3), version: Math.floor(random() * 3) },
        { do: 'pause', seconds: 600 },
        { do: 'spoilIndex', how: one(random, SPOILS) },
      ]),
    );
  }
  const accounts = one<AppScenario['accounts']>(random, [
    ['pinned', 'pinned'],
    ['pinned', 'pinned', 'pinned'],
    ['pinned', 'automatic', 'pinned'],
  ]);
  const exempt = one<readonly number[]>(random, [[], [0], [0], [1], [2], [0, 1, 2]]);
  const waves = one<NonNullable<AppScenario['waves']>>(random, [[], [], ['1', '2'], [undefined, '1', '0']]);
  const aim = one(random, [/^(list|index)/, /^send/, /^index/]);
  return make(random, { deeds, accounts, exempt, waves, canary: one(random, [0, 1, 1, 2]), versions: 1, aim });
}

/** An index that is spoilt, out of reach or written late, and a Resource Graph that may not see. */
export function randomIndexWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'rotate', events: 1 }];
  for (let n = 0; n < 2 + Math.floor(random() * 5); n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'spoilIndex', how: one(random, SPOILS) },
        { do: 'spoilIndex', how: one(random, SPOILS) },
        { do: 'rotate', events: one(random, [0, 1, 1, 2]) },
        one<Deed>(random, [
          { do: 'timePasses', seconds: 30 },
          { do: 'timePasses', seconds: 3_600, quietly: true },
          { do: 'timePasses', seconds: 90_000, quietly: true },
        ]),
        { do: 'switchKey', account: Math.floor(random() * 3) },
        { do: 'pin', account: Math.floor(random() * 3), version: Math.floor(random() * 5) },
      ]),
    );
  }
  const accounts = one<AppScenario['accounts']>(random, [['pinned'], ['pinned', 'automatic'], ['pinned', 'pinned']]);
  return make(random, { deeds, accounts, faults: one(random, [0, 1, 2, 3]), aim: /^index|^graph|^send|^take/ });
}

/** Processes that die while they move accounts, or writes that come late, and versions that follow one another. */
export function randomMovesWorld(random: Random): () => World {
  const harm = one<Optional>(random, [
    { kills: 2, faults: 0, aim: /^patch st/ },
    { kills: 2, faults: 0, aim: /^patch st/ },
    { kills: 0, faults: 1, kinds: ['late', 'hangs', 'answerLost'], aim: /^patch st/ },
  ]);
  return make(random, { ...rotations(random), ...harm });
}

/** The same when they have announced a move and not read the account yet, with several messages about one account. */
export function randomAnnouncementsWorld(random: Random): () => World {
  const { deeds, ...rest } = rotations(random);
  const harm = { kills: 2, faults: 0, aim: one(random, [/^get st/, /^get st/, /^(get|patch) st/]) };
  if (random() < 0.7) {
    // A person has made the move long before, and nobody has told the app.
    const before: readonly Deed[] = [
      { do: 'rotateAndPin', account: 0 },
      { do: 'timePasses', seconds: 660 },
      { do: 'lateEvent' },
    ];
    const deaths = { ...harm, kills: 3, aim: /^get st/, during: NOTHING, atOnce: false } as const;
    return make(random, { ...rest, deeds: [...deeds.slice(0, 1), ...before], ...deaths, skews: [], graphBlind: true });
  }
  return make(random, { ...rest, deeds: deeds.slice(0, 2).map((deed) => ({ ...deed, events: 2 })), ...harm });
}

/** Processes that die at anything, and nobody who would find what is lost with them: no work is gone with a message. */
export function randomMessagesWorld(random: Random): () => World {
  const { deeds } = rotations(random);
  const aim = one(random, [/./, /^(patch|get) st/, /^(list|index|graph)/, /^(send|take)/, /^(save|audit)/]);
  const accounts = one<AppScenario['accounts']>(random, [['pinned'], ['pinned', 'pinned', 'pinned']]);
  const rest = { instances: 2, accounts, kills: one(random, [1, 2]), faults: 0, noDriftCheck: true } as const;
  return make(random, { deeds: deeds.slice(0, 2), aim, ...rest });
}

/** The same while they record what they have moved. */
export function randomRecordsWorld(random: Random): () => World {
  const harm = one<Optional>(random, [
    { kills: 1, faults: 0, aim: /^audit/ },
    { kills: 0, faults: 1, kinds: ['late', 'hangs', 'answerLost'], aim: /^audit/ },
    { kills: 0, faults: 2, kinds: ['late', 'hangs'], aim: /^audit/ },
  ]);
  return make(random, { ...rotations(random), ...harm });
}

function rotations(random: Random) {
  const deeds = Array.from({ length: 3 + Math.floor(random() * 3) }, (): Deed => ({ do: 'rotate', events: 1 }));
  const during = one(random, [NOTHING, NOTHING, NOTHING, undefined]);
  return { deeds, instances: 2, accounts: ['pinned'], during } as const;
}

/** People who change accounts and versions while the app moves them, or afterwards, and nothing that goes wrong. */
export function randomPeopleWorld(random: Random): () => World {
  const anything: readonly Deed[] = [
    { do: 'rotate', events: 1 },
    { do: 'rotateAndPin', account: 0 },
    { do: 'disableNewest' },
    { do: 'pin', account: 0, version: Math.floor(random() * 3) },
    { do: 'unpin', account: 0 },
  ];
  const isMeanwhile = random() < 0.5;
  const likely: Deed = isMeanwhile ? { do: 'rotateAndPin', account: 0 } : { do: 'disableNewest' };
  const deeds: Deed[] = [{ do: 'rotate', events: 1 }, random() < 0.7 ? likely : one(random, anything)];
  for (let n = 0; n < Math.floor(random() * 3); n += 1) deeds.push(one(random, anything));
  // The intent of a move is saved right before the account is read for the last time.
  const during = one(
    random,
    isMeanwhile ? [/^save/, /^save/, /^save/, /^get st/, /^patch st/] : [NOTHING, NOTHING, undefined],
  );
  const accounts = one<AppScenario['accounts']>(random, [['pinned'], ['pinned'], ['pinned'], ['automatic']]);
  return make(random, { deeds, instances: one(random, [1, 2]), accounts, versions: 1, faults: 0, kills: 0, during });
}

/** Calls to the API whose process dies, or whose queue and audit trail do not answer. */
export function randomBreakGlassWorld(random: Random): () => World {
  const harm = one<Optional>(random, [
    { kills: 1, faults: 0, aim: /^audit/ },
    { kills: 1, faults: 0, aim: /^(audit|patch v)/ },
    { kills: 0, faults: 1, aim: /^(send|audit)/, kinds: ['hangs', 'late', 'answerLost'] },
    { kills: 0, faults: 2, aim: /^(send|audit|list|patch v)/ },
  ]);
  const deeds = one<readonly Deed[]>(random, [
    [{ do: 'revoke' }],
    [{ do: 'revoke' }, { do: 'restore' }],
    [{ do: 'revoke' }, { do: 'revoke' }, { do: 'restore' }],
    [{ do: 'revoke' }, { do: 'rotate', events: 1 }, { do: 'restore' }],
  ]);
  const during = one(random, [NOTHING, NOTHING, undefined]);
  return make(random, { deeds, instances: 2, accounts: ['pinned'], during, ...harm });
}

/** Somebody who may write the app's queues and its index, beside those who revoke, restore and rotate. */
export function randomForgeryWorld(random: Random): () => World {
  const forge = (): Deed => ({
    do: 'forge',
    forgery: {
      kind: one(random, ['revocation', 'revocation', 'revocation', 'probe', 'key', 'rotate', 'rotation', 'account']),
      did: one(random, ['revoke', 'restore']),
      by: Math.floor(random() * 12),
      of: one(random, ['key', 'other', 'none']),
      hours: one(random, [0, 0, -1, 1, 24 * 365 * 100]),
    },
  });
  const deeds: Deed[] = [];
  if (random() < 0.8) deeds.push({ do: 'revoke' });
  if (random() < 0.5) deeds.push({ do: 'revokeOther' }, { do: 'timePasses', seconds: 20 }, { do: 'restoreOther' });
  for (let n = 0; n < 2 + Math.floor(random() * 5); n += 1) {
    deeds.push(
      one<Deed>(random, [
        forge(),
        forge(),
        forge(),
        { do: 'timePasses', seconds: one(random, [5, 60, 900]), quietly: true },
        { do: 'spoilIndex', how: one(random, SPOILS) },
        { do: 'restore' },
        { do: 'revoke' },
        { do: 'rotate', events: 1 },
      ]),
    );
  }
  deeds.push(forge());
  const harm = one<Optional>(random, [
    { kills: 0, faults: 0 },
    { kills: 0, faults: 0 },
    { kills: 1, faults: 0, aim: /^(audit|patch v)/ },
    { kills: 0, faults: 1, aim: /^(send|audit|patch v)/, kinds: ['late', 'hangs', 'answerLost'] },
  ]);
  const during = one(random, [NOTHING, undefined]);
  return make(random, { deeds, instances: 2, accounts: ['pinned'], during, ...harm });
}

function make(random: Random, profile: Pick<AppScenario, 'deeds'> & Optional): () => World {
  const scenario: AppScenario = {
    instances: one(random, [1, 2, 2, 3, 4]),
    accounts: one<AppScenario['accounts']>(random, [['pinned'], ['pinned'], ['pinned', 'automatic']]),
    versions: one(random, [1, 2]),
    aim: one(random, AIMS),
    faults: one(random, [0, 1, 1, 2]),
    kills: one(random, [0, 0, 1, 2]),
    skews: one(random, [[], [2.5, -2.5, 0, 2.5]]),
    graphBlind: random() < 0.3,
    atOnce: random() < 0.5,
    ...profile,
  };
  return () => new AppWorld(scenario);
}

/** Instances that are cut off from the app's own storage while they move an account, and live. */
export function randomCutOffWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'rotate', events: one(random, [1, 2]) }];
  for (let n = 0; n < 1 + Math.floor(random() * 3); n += 1) {
    deeds.push(
      one<Deed>(random, [
        { do: 'rotate', events: one(random, [1, 2]) },
        { do: 'rotate', events: 1 },
        { do: 'timePasses', seconds: one(random, [5, 15, 30]) },
        { do: 'lateEvent' },
      ]),
    );
  }
  deeds.push({ do: 'rotate', events: 1 });
  const aim = one(random, [/^(get|patch) st/, /^patch st/, /^(get|patch) st|^save/, /^patch st|^audit account/]);
  const harm = one<Optional>(random, [
    { cuts: 1, faults: 1, kinds: ['hangs'], kills: 0 },
    { cuts: 1, faults: 2, kinds: ['hangs', 'late'], kills: 0 },
    { cuts: 1, faults: 1, kinds: ['hangs'], kills: 1 },
    { cuts: 2, faults: 2, kinds: ['hangs'], kills: 0 },
    { cuts: 1, faults: 0, kills: 1 },
  ]);
  const during = one(random, [NOTHING, undefined, /^patch st/, /^(get|patch) st/]);
  return make(random, {
    deeds,
    accounts: one<AppScenario['accounts']>(random, [['pinned'], ['pinned'], ['automatic'], ['pinned', 'pinned']]),
    instances: one(random, [2, 3]),
    aim,
    during,
    graphBlind: false,
    ...harm,
  });
}

/** The same of a key that nears its expiry. */
export function randomCutOffRotationWorld(random: Random): () => World {
  const deeds: Deed[] = [{ do: 'nearExpiryEvent' }, { do: 'nearExpiryEvent' }];
  if (random() < 0.5) deeds.push({ do: 'timePasses', seconds: one(random, [15, 30]) }, { do: 'nearExpiryEvent' });
  const harm = one<Optional>(random, [
    { cuts: 1, faults: 1, kinds: ['hangs', 'late'], kills: 0 },
    { cuts: 1, faults: 0, kills: 1 },
    { cuts: 1, faults: 1, kinds: ['hangs', 'late'], kills: 1 },
    { cuts: 2, faults: 1, kinds: ['hangs'], kills: 0 },
  ]);
  const aim = one(random, [/^rotate/, /^rotate|^list/, /^rotate|^save|^audit key/, /^(rotate|patch v)/]);
  return make(random, { deeds, accounts: ['pinned'], nearExpiry: true, aim, instances: one(random, [2, 3]), ...harm });
}

/** Writes that are not answered, and leases whose renewals get lost although what is saved does not. */
export function randomLostRenewalsWorld(random: Random): () => World {
  const more = { kinds: ['hangs', 'late'], faults: 1, kills: one(random, [0, 1]), instances: 3, cuts: 0 } as const;
  const lost = { flaky: one(random, [2, 2, 3]), skews: [2.5, -2.5, 0] };
  if (random() < 0.3) {
    const deeds: Deed[] = [{ do: 'nearExpiryEvent' }, { do: 'nearExpiryEvent' }];
    return make(random, { deeds, accounts: ['pinned'], nearExpiry: true, aim: /^rotate/, ...more, ...lost });
  }
  const deeds = Array.from(
    { length: one(random, [2, 3, 4]) },
    (): Deed => ({ do: 'rotate', events: one(random, [1, 2]) }),
  );
  const during = one(random, [undefined, /^patch st/, /^(get|patch) st/]);
  return make(random, { deeds, accounts: ['pinned'], aim: /^patch st/, during, ...more, ...lost });
}
