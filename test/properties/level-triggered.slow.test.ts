import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import type { KeyVersion, StorageAccount } from '../../local/azure/world.ts';
import { putWork } from '../../src/drift/apply/put-work.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';
import { reconcileAll } from '../support/work-items.ts';

// Guards, over the wire:
// invariant 1 (level-triggered: duplicates, reordering and lost messages change nothing in the end),
// invariant 2 (never backwards: only to the newest usable version),
// invariant 3 (a pinned account stays pinned, an automatic one automatic),
// invariant 4 (a PATCH changes nothing but the key's version).

const wire = useWire();

const DAY = 86_400;
type Mode = 'pinned' | 'automatic' | 'automaticEmpty';
type Step =
  | { readonly what: 'version'; readonly state: 'usable' | 'disabled' | 'expired' | 'later' }
  | { readonly what: 'toggle'; readonly which: number }
  /** An operator points a pinned account at another version by hand. */
  | { readonly what: 'repin'; readonly account: number; readonly which: number }
  /** The message about an account, as often as it says: 0 is a message that is lost. */
  | { readonly what: 'message'; readonly account: number; readonly times: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('version' as const),
      state: fc.constantFrom('usable' as const, 'disabled' as const, 'expired' as const, 'later' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('toggle' as const), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('repin' as const), account: fc.nat(2), which: fc.nat(5) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('message' as const), account: fc.nat(2), times: fc.nat(2) }) },
);

/** The order of the local Key Vault's versions is that of their creation. */
const usable = (version: KeyVersion, now: number) =>
  version.enabled && (version.nbf ?? 0) <= now && (version.exp ?? Number.POSITIVE_INFINITY) > now;
const held = ({ encryption }: StorageAccount) =>
  encryption.keyvaultproperties?.currentVersionedKeyIdentifier?.split('/').at(-1);
const modeOf = ({ encryption }: StorageAccount) => (encryption.keyvaultproperties?.keyversion ? 'pinned' : 'automatic');
function withoutVersion(account: StorageAccount): unknown {
  const { keyvaultproperties, ...encryption } = account.encryption;
  const { keyname, keyvaulturi } = keyvaultproperties ?? {};
  const { identity, tags, sku, kind, properties } = account;
  return structuredClone({ encryption, keyname, keyvaulturi, identity, tags, sku, kind, properties });
}

it('Every account ends on the newest usable version, whatever happens to the key and whichever messages arrive', async () => {
  const services = wire.services();
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
      const key = new TestKey(wire.azure.world);
      const modes: readonly Mode[] = ['pinned', 'automatic', 'automaticEmpty'];
      const accounts = modes.map((mode) => key.account(mode));
      const before = accounts.map(withoutVersion);
      const versions = () => key.vault.keys.get(key.name)?.versions ?? [];
      const now = () => wire.azure.clock.nowSeconds();
      const newest = () => versions().findLast((version) => usable(version, now()));

      const changed = (account: StorageAccount) =>
        putWork([{ subscription: SUBSCRIPTION_ID, kind: 'account', about: account.id }], key.keyWork().cause, services);
      const deliver = async (account: StorageAccount): Promise<void> => {
        const was = versions().findIndex(({ version }) => version === held(account));
        const target = newest();
        const { cause } = key.keyWork();

        // What the event of a new or changed account has the worker do.
        await changed(account);
        await reconcileAll(services, wire.log);
        await services.controller.handleKeyMessage(key.id(), cause, wire.log);
        await reconcileAll(services, wire.log);

        const is = versions().findIndex(({ version }) => version === held(account));
        expect(is).toBeGreaterThanOrEqual(was); // never backwards

        if (is !== was) expect(versions()[is]).toBe(target); // and only to the newest usable one
      };

      for (const one of steps) {
        const account = 'account' in one ? accounts[one.account] : undefined;

        if (one.what === 'version') {
          key.add({
            privateKey: key.first.privateKey,
            enabled: one.state !== 'disabled',
            ...(one.state === 'expired' ? { nbf: now() - 2 * DAY, exp: now() - DAY } : {}),
            ...(one.state === 'later' ? { nbf: now() + DAY } : {}),
          });
        } else if (one.what === 'toggle') {
          const version = versions()[one.which % versions().length];
          if (version) version.enabled = !version.enabled;
        } else if (one.what === 'repin') {
          const version = versions()[one.which % versions().length];
          const properties = account?.encryption.keyvaultproperties;
          if (properties?.keyversion && version) {
            properties.keyversion = version.version;
            properties.currentVersionedKeyIdentifier = key.id(version);

            // Without the event of the change a worker waits five seconds for it.
            if (account) await changed(account);
          }
        } else if (account) {
          for (let time = 0; time < one.times; time += 1) await deliver(account);
        }
      }

      for (const account of [...accounts].reverse()) await deliver(account); // out of order, once more each

      const target = newest();

      for (const [index, account] of accounts.entries()) {
        const position = versions().findIndex(({ version }) => version === held(account));

        // Storage itself takes a new version for an automatic account only when it is the newest of all and usable.
        const reachable = modes[index] === 'pinned' || versions().at(-1) === target;
        if (target && reachable) expect(position).toBeGreaterThanOrEqual(versions().indexOf(target));

        if (target && reachable && position > versions().indexOf(target)) {
          // Held at one that is newer and not usable (any more): left there, since back it never goes.
          expect(usable(versions()[position] as KeyVersion, now())).toBe(false);
        }

        expect(modeOf(account)).toBe(modes[index] === 'pinned' ? 'pinned' : 'automatic');
      }

      expect(accounts.map(withoutVersion)).toEqual(before);

      for (const { name } of accounts) wire.azure.world.storageAccounts.delete(name);
    }),
    { numRuns: 12 },
  );
});
