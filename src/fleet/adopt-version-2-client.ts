import type { TokenCredential } from '@azure/identity';
import pMap from 'p-map';
import { z } from 'zod';
import type { RecordAudit } from '../audit/audit-trail.ts';
import { controlContainer } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blobs.ts';
import { withinTime } from '../azure/deadline.ts';
import { unless, unlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { DAY_MS } from '../time/spans.ts';
import { LEASE_CONTAINER, type Lease, type Leases } from '../work/lease-client.ts';
import { recordMoves } from './audit-records.ts';
import { accountId } from './fleet-keys.ts';
import { usedVersionId } from './key-use.ts';
import { readUse } from './read-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { PassState } from './worker-ports.ts';

// Moves that version 2 had begun: nothing else has a record of them. It can be deleted after one release, with test/upgrade.

/** Version 2 has recorded or reported an older move itself. A subscription is listed once a day. */
const LONGEST_MS = 2 * DAY_MS;
const READ_MS = 30_000;

const key = z.string().refine((id) => parseKeyIdentifier(id) !== undefined);
/** A move in a lease `account/<subscription>/<name>` of version 2, stored right before its PATCH. */
const MOVE = z.object({
  /** Of its audit record. */
  id: z.string().max(100),
  account: z.string().refine((id) => parseStorageAccountId(id) !== undefined),
  scope: z.string().max(100).optional(),
  /** Identifiers without a version; `toKey`: of the key that a re-key moves it to. */
  key,
  toKey: key.optional(),
  rekey: z.string().max(100).optional(),
  mode: z.enum(['pinned', 'automatic']),
  /** Versions. */
  from: z.string().max(64).optional(),
  to: z.string().max(64),
  at: z.iso.datetime(),
  /** Version 2 knew how it had ended, and could not record it. */
  done: z.object({ to: z.string().max(64).optional() }).optional(),
});
type OldMove = z.output<typeof MOVE>;
const JOURNAL = z.object({ moves: z.array(MOVE) });

interface AdoptPorts {
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  readonly rows: UseRows;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

/** The leases of version 3. The first holder of a subscription's lease finds in it what version 2 had begun to move there. */
export function adoptingLeases(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  ports: AdoptPorts,
): Leases {
  // Version 2 had one account for everything.
  const container = controlContainer(settings, credential, LEASE_CONTAINER);
  const journals = async (subscription: string): Promise<string[]> => {
    const names: string[] = [];
    const since = ports.now().getTime() - LONGEST_MS;
    await withinTime(READ_MS, async (limit) => {
      for await (const { name, properties } of container.listBlobsFlat({
        prefix: `account/${subscription}/`,
        ...limit,
      }))
        if (properties.lastModified.getTime() >= since) names.push(name);
    });
    return names;
  };
  const movesIn = async (name: string): Promise<readonly OldMove[]> => {
    const blob = container.getBlobClient(name);
    const read = await unlessMissing(() => withinTime(READ_MS, (limit) => readBlobText(blob, limit)));
    return JOURNAL.safeParse(parseJson(read?.text ?? '')).data?.moves ?? [];
  };
  return {
    async acquire(name) {
      const lease = await ports.leases.acquire(name);
      const [, subscription] = /^subscription\/(.+)$/.exec(name) ?? [];
      if (!lease || subscription === undefined || lease.state !== undefined) return lease;
      try {
        // The right on the container may be gone with the container.
        const names = (await unless('forbidden', () => unlessMissing(() => journals(subscription)))) ?? [];
        const moves = await pMap(names, movesIn, { concurrency: CONCURRENCY });
        await adoptMoves(moves.flat(), lease, ports);
      } catch (error) {
        await lease.release();
        throw error;
      }
      return lease;
    },
  };
}

/**
 * Records what has moved, under the id that version 2 would have recorded it by: readers show one record. The rest is left in
 * the lease as if a worker of version 3 had announced it and died: its PATCH may still land, and is verified two minutes later.
 *
 * @throws where a move cannot be recorded: the next pass begins here again
 */
async function adoptMoves(moves: readonly OldMove[], lease: Lease, ports: AdoptPorts): Promise<void> {
  if (moves.length === 0) return;
  const left = (await pMap(moves, (move) => adoptMove(move, ports), { concurrency: CONCURRENCY })).flat();
  const pass = {
    startedOn: moves.map(({ at }) => at).sort()[0] ?? '',
    targets: Object.fromEntries(left.map(({ key, toKey = key, to }) => [toKey, versionId(toKey, to)])),
  };
  await lease.save({ pass, unclean: 0, usage: {} } satisfies PassState);
}

/** @returns the move if it may still take effect */
async function adoptMove(move: OldMove, { accounts, rows, audit, now }: AdoptPorts): Promise<readonly OldMove[]> {
  const { id, account, scope, key, toKey = key, rekey, mode, from, to, at, done } = move;
  const use = { account, ...(scope === undefined ? {} : { scope }) };
  const rowOn = (key: string, version: string | undefined): UseRow => ({
    ...{ ...use, location: '', key, mode, readOn: at, state: 'pending', at, attempts: 0 },
    ...(version === undefined ? {} : { current: version }),
    ...(version === undefined || mode === 'automatic' ? {} : { pinned: version }),
  });
  const before = rowOn(key, from);
  if (done && !done.to) return [];
  const target = versionId(toKey, done?.to ?? to);
  const read = done ? undefined : await readUse(accountId(account), before, { accounts, now }).catch(() => undefined);
  if (!done && (!read?.use || usedVersionId(read.use) !== target)) {
    // So that it is known for a move once it lands.
    await rows.put([before]);
    return [move];
  }
  const reason = toKey !== key ? 'Rekeyed' : mode === 'automatic' ? 'Refreshed' : 'Moved';
  const order = rekey === undefined ? {} : { rekey };
  const found = { ...use, ...order, id, reason, key, from: from && versionId(key, from), to: target, mode } as const;
  const cause = { by: 'upgrade', ref: '', since: at };
  const recorded = await recordMoves([{ move: { ...found, provenBy: 'read' }, cause }], audit);
  if (!recorded.has(id)) throw new Error(`${REASONS.AuditFailed} ${id}`);
  await rows.put([rowOn(toKey, done?.to ?? to)]);
  if (toKey !== key) await rows.drop([before]);
  return [];
}

function versionId(key: string, version: string): string {
  const parsed = parseKeyIdentifier(key);
  return parsed ? formatKeyIdentifier(parsed, version) : '';
}
