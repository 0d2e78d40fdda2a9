import type { Key, KeyVersion, Vault, VaultEvent, World } from '../world.ts';
import { addCalendarDuration, parseCalendarDuration } from './calendar-duration.ts';
import { defaultNotifyBeforeExpiry } from './rotation-policy.ts';

type Rotate = (world: World, vault: Vault, keyName: string) => KeyVersion;
type Happening = 'nearExpiry' | 'expired' | 'rotated';

/** The timers of each key. */
const timers = new WeakMap<Key, (() => void)[]>();
/** The events that each version has had, with its `exp` at that time, since a new `exp` starts over. */
const happened = new WeakMap<KeyVersion, Set<string>>();

/**
 * Restarts the timers of a key's newest version: near expiry, expiry, and the rotation of its policy. Call it after
 * every change of a version, its `exp`, the policy, or the existence of the key. What is due already happens at once,
 * in order of time.
 *
 * Earlier versions and deleted keys have no timers. A disabled version has them too: that is not documented, but a key
 * that rotates while it is revoked is the harder case.
 */
export function watchLifetime(world: World, vault: Vault, key: Key, rotate: Rotate): void {
  for (const cancel of timers.get(key) ?? []) cancel();

  timers.delete(key);

  const version = key.versions.at(-1);
  if (!version || vault.keys.get(key.name.toLowerCase()) !== key) return;

  timers.set(
    key,
    plan(key, version).map(({ atSeconds, what }) => {
      const run = (): void => {
        // Check again: a deletion of the vault cancels no timers.
        if (key.versions.at(-1) !== version || !isThere(world, vault)) return;
        remember(version, what);
        if (what === 'rotated') rotate(world, vault, key.name);
        else if (!vault.local) world.publish({ vault, type: eventTypes[what], keyName: key.name, version });
      };

      const atMs = atSeconds * 1000;
      if (what === 'nearExpiry' && atMs <= world.clock.nowMs()) {
        run(); // a key created inside the window has its near-expiry event together with that of the new version
        return () => {};
      }

      return world.clock.schedule(atMs, run);
    }),
  );
}

function isThere(world: World, vault: Vault): boolean {
  return (vault.local ? world.managedHsms : world.vaults).get(vault.name.toLowerCase()) === vault;
}

/** Cancels the timers of a deleted key. */
export function forgetLifetime(key: Key): void {
  for (const cancel of timers.get(key) ?? []) cancel();
  timers.delete(key);
}

const eventTypes = {
  nearExpiry: 'Microsoft.KeyVault.KeyNearExpiry',
  expired: 'Microsoft.KeyVault.KeyExpired',
} as const satisfies Record<string, VaultEvent['type']>;

function plan(key: Key, version: KeyVersion): { atSeconds: number; what: Happening }[] {
  const planned: { atSeconds: number; what: Happening }[] = [];
  const had = happened.get(version) ?? new Set();
  const actions = key.rotationPolicy?.lifetimeActions ?? [];
  const of = (type: string) => actions.filter((one) => one.action.type.toLowerCase() === type);

  if (version.exp !== undefined) {
    const exp = version.exp;
    const notice = parseCalendarDuration(of('notify')[0]?.trigger.timeBeforeExpiry ?? defaultNotifyBeforeExpiry);
    if (notice && !had.has(`nearExpiry ${exp}`)) {
      planned.push({ atSeconds: addCalendarDuration(exp, notice, -1), what: 'nearExpiry' });
    }

    if (!had.has(`expired ${exp}`)) planned.push({ atSeconds: exp, what: 'expired' });
  }

  if (!version.imported && !had.has('rotated')) {
    for (const { trigger } of of('rotate')) {
      const afterCreate = parseCalendarDuration(trigger.timeAfterCreate ?? '');
      const beforeExpiry = parseCalendarDuration(trigger.timeBeforeExpiry ?? '');

      if (afterCreate) {
        planned.push({ atSeconds: addCalendarDuration(version.created, afterCreate), what: 'rotated' });
      } else if (beforeExpiry && version.exp !== undefined) {
        planned.push({ atSeconds: addCalendarDuration(version.exp, beforeExpiry, -1), what: 'rotated' });
      }
    }
  }

  return planned.sort((a, b) => a.atSeconds - b.atSeconds);
}

function remember(version: KeyVersion, what: Happening): void {
  const had = happened.get(version) ?? new Set();
  had.add(what === 'rotated' ? what : `${what} ${version.exp}`);
  happened.set(version, had);
}
