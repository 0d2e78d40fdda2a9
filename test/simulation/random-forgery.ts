import { LISTINGS } from '../../src/index/fleet-index.ts';
import { formatAccountRow, formatKeyPartition, formatSubscriptionPartition } from '../../src/index/fleet-keys.ts';
import { formatWorkRow, isJobKind, NO_SUBSCRIPTION, WORK, type WorkKind } from '../../src/index/work-items.ts';
import { createManagedKey } from '../../src/keys/managed-vaults.ts';
import { VAULT, versionName } from '../support/keys.ts';
import { type ControllerDeed, ControllerWorld, FIRST_KEY, SECOND_KEY, UNDISTURBED } from './controller-world.ts';
import type { World } from './explore.ts';
import type { Forgery } from './forgery.ts';
import type { UseSpec } from './memory-storage.ts';
import { rekeyDeed } from './random-controller.ts';

type Random = () => number;

const one = <T>(random: Random, of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

const SUBSCRIPTIONS = [1, 2, 3].map((n) => `11111111-1111-4111-8111-1111111111a${n}`);
const KEYS = [FIRST_KEY, SECOND_KEY].map((name) => createManagedKey(VAULT, name).id);
/** Those that the keys have or will have, and one that no key has. */
const VERSIONS = [1, 101, 102, 103, 501, 601, 602, 999].map(versionName);
const TIMES = ['1970-01-01T00:00:00.000Z', '2026-06-01T12:00:30.000Z', '9999-12-31T23:59:59.999Z'];
const NUMBERS = ['0', '1', '1000000'];
const CAUSE = { by: 'forged', ref: '', since: '' };
const CHECK: ControllerDeed = { do: 'driftCheck', after: 3_600 };

/** Some of the fields, each with any of its values. */
function some<T>(random: Random, fields: Readonly<Record<string, readonly T[]>>): Record<string, T> {
  const part = one(random, [0.2, 0.5, 1]);
  const chosen = Object.entries(fields).filter(() => random() < part);
  return Object.fromEntries(chosen.map(([name, values]) => [name, one(random, values)]));
}

const versionIds = KEYS.flatMap((key) => VERSIONS.map((version) => `${key}/${version}`));
const targets = (random: Random) => some(random, { [KEYS[0] ?? '']: versionIds, [KEYS[1] ?? '']: versionIds });

function useValues(random: Random): Record<string, string> {
  return some(random, {
    location: ['westeurope', 'nowhere'],
    mode: ['pinned', 'automatic'],
    wave: ['', '1', '9'],
    pinned: ['', ...VERSIONS],
    current: ['', ...VERSIONS],
    identity: ['', 'forged'],
    scopes: ['none', 'some'],
    state: ['pending', 'done', 'failed', 'skipped', 'indeterminate'],
    movedFrom: ['', ...versionIds, ...KEYS],
    reason: ['', 'Moved', 'LeftByCheck', 'ForgedReason'],
    target: ['', ...versionIds],
    stamp: ['', ...TIMES],
    readOn: TIMES,
    at: TIMES,
    notBefore: ['', ...TIMES],
    attempts: NUMBERS,
  });
}

/** Anything that the work zone takes. */
export function randomForgery(random: Random, specs: readonly UseSpec[]): Forgery {
  const n = 1 + Math.floor(random() * (specs.length + 1));
  const subscription =
    random() < 0.1 ? one(random, SUBSCRIPTIONS) : (specs[n - 1]?.subscription ?? SUBSCRIPTIONS[0] ?? '');
  const account = `/subscriptions/${subscription}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st${n}`;
  const key = one(random, KEYS);
  const scope = random() < 0.2 ? 'scope' : undefined;
  const roll = random();
  if (roll < 0.45) {
    const about = { partition: formatKeyPartition(key), row: formatAccountRow(account, scope) };
    if (random() < 0.1) return { into: 'table', ...about };

    const use = {
      key,
      account,
      scope: scope ?? '',
      location: 'westeurope',
      mode: 'pinned',
      readOn: one(random, TIMES),
    };

    const isWhole = random() < 0.5;

    return { into: 'table', ...about, values: { ...(isWhole ? use : {}), ...useValues(random) } };
  }

  if (roll < 0.7) return forgedItem(random, subscription, account, key);

  if (roll < 0.78) {
    const known = { account, location: 'westeurope', key, writtenOn: one(random, TIMES) };
    const scopeKeys = one(random, ['', JSON.stringify([one(random, KEYS)])]);
    const values = random() < 0.8 ? { values: { ...known, scopesReadOn: one(random, TIMES), scopeKeys } } : {};

    return {
      into: 'table',
      partition: formatSubscriptionPartition(subscription),
      row: formatAccountRow(account),
      ...values,
    };
  }

  if (roll < 0.82) {
    return { into: 'table', partition: LISTINGS, row: subscription, values: { listedOn: one(random, TIMES) } };
  }

  if (roll < 0.92) {
    const pass = { id: 'forged', startedOn: one(random, TIMES), targets: targets(random) };
    const usage = { 'westeurope writes': [[one(random, [0, 29_671_920, 1e15]), 1e9]], ' lists': [[1e9, 1e9]] };
    const state = { pass: [pass], unverified: [pass], unclean: [0, 2, 3, 1e9], usage: [usage] };

    return { into: 'leases', state: some<unknown>(random, state) };
  }

  if (roll < 0.96) {
    const subscriptions = one(random, [[subscription], SUBSCRIPTIONS]);
    const tries = one(random, [0, 100]);
    return {
      into: 'fleet-work',
      message: { kind: 'subscriptions', subscriptions, tries, due: TIMES[2], cause: CAUSE },
    };
  }

  return { into: 'key-work', message: { kind: 'key', key, waiter: 3, subscriptions: SUBSCRIPTIONS, cause: CAUSE } };
}

function forgedItem(random: Random, subscription: string, account: string, key: string): Forgery {
  const kind = one<WorkKind>(random, [
    'key',
    'account',
    'list',
    'scopes',
    'verify',
    'rotate',
    'probe',
    'notify',
    'changes',
  ]);
  const of = isJobKind(kind) || (kind === 'key' && random() < 0.3) ? NO_SUBSCRIPTION : subscription;
  const about = {
    key,
    account,
    list: '',
    scopes: '',
    verify: '',
    rotate: key,
    probe: key,
    notify: `siem/${'0'.repeat(32)}`,
    changes: '',
  }[kind];
  const item = { subscription: of, kind, about };
  const elsewhere = random() < 0.1 ? one(random, SUBSCRIPTIONS) : of;
  const row = formatWorkRow(item).replace(/^[^|]*/, elsewhere);
  if (random() < 0.1) return { into: 'table', partition: WORK, row };

  const cause = JSON.stringify({ ...CAUSE, by: one(random, ['forged', 'drift', 'sweep']) });
  const required = { ...item, subscription: elsewhere, due: one(random, TIMES), since: one(random, TIMES), cause };
  const more = some(random, { attempts: NUMBERS, reason: ['Paused', 'ForgedReason'], fresh: ['true', ''] });

  return { into: 'table', partition: WORK, row, values: { ...required, ...more } };
}

/**
 * A writer of the work zone beside keys that have new versions: it causes work and delay. What the app writes is judged as
 * ever; the uses are where they should be after the next drift check, and so after the version that follows.
 */
export function randomForgeryWorld(random: Random): () => World {
  const specs = Array.from(
    { length: one(random, [1, 2, 3]) },
    (): UseSpec => ({
      subscription: one(random, SUBSCRIPTIONS.slice(0, 2)),
      region: 'westeurope',
      mode: one(random, ['pinned', 'pinned', 'automatic']),
      key: one(random, [FIRST_KEY, FIRST_KEY, SECOND_KEY]),
      scoped: random() < 0.25,
    }),
  );

  const key = () => one(random, specs).key;
  const account = () => `st${1 + Math.floor(random() * specs.length)}`;
  const forged = (): ControllerDeed => ({ do: 'forge', forgery: JSON.stringify(randomForgery(random, specs)) });
  const isRekeyed = random() < 0.4;
  const during = () => one(random, [{}, {}, { during: /^get|^patch/ }, { during: /^items|^index/ }]);
  const first: readonly ControllerDeed[] = isRekeyed ? [{ do: 'rekey', from: FIRST_KEY, to: SECOND_KEY }] : [];
  const told = Array.from({ length: one(random, [2, 3, 4, 6]) }, (): ControllerDeed => {
    const roll = random();
    if (roll < 0.5) return { ...forged(), ...during() };
    if (roll < 0.7) return { do: 'newVersion', key: key() };
    if (roll < 0.75) return { do: 'pinBack', account: account() };
    if (roll < 0.8) return { do: 'moveTo', account: account(), key: key() };
    if (roll < 0.85) return { do: 'revoke', key: key() };
    if (roll < 0.9) return { do: 'restore', key: key() };
    if (roll < 0.93) return { do: 'deleteAccount', account: account() };
    if (isRekeyed && roll < 0.99) return rekeyDeed(random, account());

    return { do: 'wait' };
  });

  const deeds: ControllerDeed[] = [
    ...[{ do: 'wait' } as const, ...first, ...told, ...(isRekeyed ? [{ do: 'rollBackRekey' } as const] : []), forged()],
    // What was forged may delay everything until the first check, and that by an hour.
    ...[CHECK, CHECK, { do: 'wait' } as const],
    ...specs.map((spec): ControllerDeed => ({ do: 'newVersion', key: spec.key })),
  ];

  const faults = one(random, [0, 0, 0, 1]);
  const instances = one(random, [1, 2]);

  return () => new ControllerWorld({ ...UNDISTURBED, uses: specs, deeds, instances, faults, aim: /audit|patch/ });
}
