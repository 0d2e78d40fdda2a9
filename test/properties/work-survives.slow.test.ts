import { BlobServiceClient } from '@azure/storage-blob';
import { expect, it } from 'vitest';
import { reconcileAccount } from '../../src/accounts/reconcile-account.ts';
import { lookAtKey } from '../../src/accounts/reconcile-key.ts';
import type { Services } from '../../src/services.ts';
import { LEASE_CONTAINER } from '../../src/work/lease-client.ts';
import type { Work } from '../../src/work/messages.ts';
import { TestKey } from '../support/fleet.ts';
import { useWire } from '../support/wire.ts';

// Guards invariant 8 (every function may be killed at any point and run again) exhaustively: at every call that leaves
// the app, before it takes effect and after.

const wire = useWire();
// Each call is one to be killed at: no more of them than there have to be.
const app = () => ({ ...wire.services({ CMK_SCOPE_DISCOVERY: 'dependents' }), sleep: async () => {} });

class Killed extends Error {}

/** The leases of a process that has gone run out. */
async function expireLeases(): Promise<void> {
  const container = BlobServiceClient.fromConnectionString(wire.connectionString).getContainerClient(LEASE_CONTAINER);
  for await (const { name, properties } of container.listBlobsFlat()) {
    if (properties.leaseState === 'leased') await container.getBlobClient(name).getBlobLeaseClient().breakLease(0);
  }
}

/** What a call gives whose process has gone: lists are read piece by piece, everything else is a promise. */
function dead(name: string | symbol): unknown {
  const gone = Promise.reject(new Killed());
  if (name !== 'list' && name !== 'listScopes') return gone;
  gone.catch(() => undefined);
  return { [Symbol.asyncIterator]: () => ({ next: () => gone }) };
}

interface Mortal {
  readonly services: Services;
  readonly killed: () => boolean;
}

/** Services that work until so many calls have been made; from then on none takes effect, as if the process had gone. */
function killedAt(services: Services, call: number, when: 'before' | 'after'): Mortal {
  let made = 0;
  const guard = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(object, name) {
        const value = Reflect.get(object, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          made += 1;
          const mine = made;
          if (mine > call || (mine === call && when === 'before')) return dead(name);
          const result = Reflect.apply(value, object, args) as unknown;
          if (mine < call) return result;
          return result instanceof Promise ? result.then(() => dead(name)) : dead(name);
        };
      },
    });
  const { keys, accounts, subscriptions, queue } = services;
  return {
    services: {
      ...services,
      keys: guard(keys),
      accounts: guard(accounts),
      subscriptions: guard(subscriptions),
      queue: guard(queue),
    },
    killed: () => made >= call,
  };
}

/**
 * Runs messages as the host does: one whose process has gone is delivered again, to a process that lives. Returns whether
 * one has gone at all.
 */
async function drain(first: Work, mortal: Mortal): Promise<boolean> {
  const waiting: Work[] = [first];
  let { services } = mortal;
  let taken = 0;
  let died = false;
  for (let runs = 0; waiting.length > 0; runs += 1) {
    if (runs > 100) throw new Error('The work does not come to an end.');
    const [work] = waiting;
    const run = work?.kind === 'account' ? reconcileAccount(work, services, wire.log) : undefined;
    const other = work?.kind === 'key' ? lookAtKey(work, services, wire.log) : undefined;
    // Whatever a process that has gone would do about a failure does not happen.
    const outcome = await (run ?? other)?.catch(() => undefined);
    waiting.push(...wire.sent.slice(taken).map(({ work: sent }) => sent));
    taken = wire.sent.length;
    if (!died && mortal.killed()) {
      died = true;
      services = app();
      await expireLeases();
      continue;
    }
    // What the one that has gone had begun is left alone for a while.
    if (died && outcome?.outcome === 'retry' && outcome.reason === 'Busy') {
      await expireLeases();
      continue;
    }
    expect(outcome).toEqual({ outcome: 'done' });
    waiting.shift();
  }
  return died;
}

it.each(['before', 'after'] as const)(
  'killed %s any of its calls takes effect, every account is moved in the end',
  async (when) => {
    let died = true;
    let call = 0;
    while (died) {
      call += 1;
      wire.sent.length = 0;
      const key = new TestKey(wire.azure.world);
      const scopes = [{ name: 'scope1', key: key.use() }];
      const accounts = [key.account(), key.account('automatic'), key.account('pinned', { scopes })];
      const next = key.add({ privateKey: key.first.privateKey });
      died = await drain(key.keyWork(), killedAt(app(), call, when));

      for (const { encryption } of accounts) {
        const inUse = encryption.keyvaultproperties?.currentVersionedKeyIdentifier;
        expect(inUse, `killed ${when} call ${call}`).toBe(key.id(next));
      }
      expect(accounts[2]?.encryptionScopes.get('scope1')?.keyVaultProperties?.keyUri).toBe(key.id(next));
      for (const { name } of accounts) wire.azure.world.storageAccounts.delete(name);
    }
    // Every call there is was the last one once: three accounts take several each.
    expect(call).toBeGreaterThan(10);
  },
);
