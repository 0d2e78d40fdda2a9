import { BlobServiceClient } from '@azure/storage-blob';
import { describe, expect, it } from 'vitest';
import {
  createLeases,
  LEASE_CONTAINER,
  type Lease,
  type LeaseOptions,
  type Leases,
} from '../../src/work/lease-client.ts';
import { faultyStorage } from '../audit/faulty-storage.ts';
import { useAzurite } from '../support/azurite.ts';
import { eventually } from '../support/eventually.ts';

const azurite = useAzurite();

/** One instance of the app. */
function instance(options?: LeaseOptions, connectionString = azurite.connectionString): Leases {
  const noCredential = () => {
    throw new Error('Azurite takes its own key.');
  };
  return createLeases({ storage: { connectionString } }, noCredential, options);
}

async function taken(leases: Leases, name: string): Promise<Lease> {
  const lease = await leases.acquire(name);
  if (!lease) throw new Error(`${name} has another holder.`);
  return lease;
}

const blobOf = (name: string) =>
  BlobServiceClient.fromConnectionString(azurite.connectionString)
    .getContainerClient(LEASE_CONTAINER)
    .getBlobClient(name);

describe('a lease', () => {
  it('A lease has one holder, over all instances, and creates its container and its blob', async () => {
    const one = instance();
    const other = instance();
    const asked = await Promise.all([1, 2, 3].flatMap(() => [one.acquire('account/a'), other.acquire('account/a')]));
    const granted = asked.filter((lease) => lease !== undefined);
    expect(granted).toHaveLength(1);
    expect(granted[0]?.held()).toBe(true);
    await granted[0]?.release();
    expect(granted[0]?.held()).toBe(false);
    await (await taken(other, 'account/a')).release();
  });

  it('A lease passes its saved state to the next holder, until the state is cleared', async () => {
    const first = await taken(instance(), 'state');
    expect(first.state).toBeUndefined();

    await first.save({ moves: [{ from: 'v1', to: 'v2', cause: 'Schlüssel' }] });

    expect(first.state).toEqual({ moves: [{ from: 'v1', to: 'v2', cause: 'Schlüssel' }] });

    await first.release();

    const second = await taken(instance(), 'state');
    expect(second.state).toEqual(first.state);

    await second.save(undefined);
    await second.release();

    expect((await taken(instance(), 'state')).state).toBeUndefined();
  });

  it('A lease whose state is not JSON has none, and blocks no worker', async () => {
    const lease = await taken(instance(), 'rubbish');
    await lease.release();
    await blobOf('rubbish').getBlockBlobClient().upload('{"moves":', 9);
    const next = await taken(instance(), 'rubbish');
    expect(next.state).toBeUndefined();
    await next.save({ moves: [] });
    await next.release();
    expect((await taken(instance(), 'rubbish')).state).toEqual({ moves: [] });
  });

  it('A lease that another holder has acquired since is lost, and saves nothing', async () => {
    const lease = await taken(instance({ durationSeconds: 15 }), 'lost');
    await blobOf('lost').getBlobLeaseClient().breakLease(0);
    const other = await taken(instance(), 'lost');
    await eventually('the renewal is refused', () => !lease.held());
    await expect(lease.save({})).rejects.toMatchObject({ statusCode: 412 });
    expect(other.held()).toBe(true);
    await lease.release(); // never throws, and frees nothing of the other's
    expect(await instance().acquire('lost')).toBeUndefined();
    await other.release();
  });
});

it('A lease whose renewals failed is no longer held, and another instance can acquire it', async () => {
  const storage = await faultyStorage(azurite.connectionString);
  try {
    const lease = await taken(instance({ durationSeconds: 15 }, storage.connectionString), 'in doubt');

    storage.onRequest(() => 'refuse');
    await eventually('it is in doubt', () => !lease.held());
    storage.onRequest(() => 'pass');
    await eventually('another gets it', () => instance().acquire('in doubt'));

    expect(lease.held()).toBe(false);
  } finally {
    await storage.close();
  }
});

it('A lease whose renewal fails is renewed again while it has certainly not expired', async () => {
  const storage = await faultyStorage(azurite.connectionString);
  try {
    const lease = await taken(instance({ durationSeconds: 15 }, storage.connectionString), 'blip');
    let renewals = 0;
    storage.onRequest((operation) => {
      if (operation !== 'create') return 'pass';
      renewals += 1;
      // The first renewal, and the client's own retry of it.
      return renewals <= 2 ? 'refuse' : 'pass';
    });

    // The fourth is the next regular one: later than the lease is sure to stand without the third.
    await eventually('it is renewed twice', () => renewals > 3 || !lease.held());

    expect(lease.held()).toBe(true);

    await lease.release();
  } finally {
    await storage.close();
  }
});

// What a process that was killed does: nothing more. The shortest lease that there is takes 15 s.
it('A lease expires after its holder is gone or cannot renew it, and not while it is renewed', async () => {
  const short = { durationSeconds: 15 };
  const storage = await faultyStorage(azurite.connectionString);

  try {
    const cutOff = await taken(instance(short, storage.connectionString), 'cut off');

    await cutOff.save({ unfinished: true });
    storage.onRequest(() => 'refuse');

    const renewed = await taken(instance(short), 'renewed');

    // Its holder is not sure of it any more before others have it.
    const next = await eventually('it expires', async () => {
      const isHeld = cutOff.held();
      const acquired = await instance().acquire('cut off');
      if (acquired) expect(isHeld).toBe(false);
      return acquired;
    });

    expect(next?.state).toEqual({ unfinished: true });
    expect(renewed.held()).toBe(true);
    expect(await instance().acquire('renewed')).toBeUndefined();

    await Promise.all([next, renewed].map((lease) => lease?.release()));
  } finally {
    await storage.close();
  }
});
