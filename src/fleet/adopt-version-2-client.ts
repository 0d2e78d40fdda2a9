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
import { accountId, KEY_ID } from './fleet-keys.ts';
import { usedVersionId } from './key-use.ts';
import type { PassState } from './pass-state.ts';
import { readUse } from './read-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';

// Reads in-flight moves from version 2's leases. Delete this file and test/upgrade after one release.

/** Version 2 recorded or reported every older move: it listed each subscription once a day. Milliseconds. */
const LONGEST_MS = 2 * DAY_MS;
const READ_MS = 30_000;

/** A move in a lease `account/<subscription>/<name>` of version 2, which stored it right before its PATCH. */
const MOVE = z.object({
  /** Id of the move's audit record. */
  id: z.string().max(100),
  account: z.string().refine((id) => parseStorageAccountId(id) !== undefined),
  scope: z.string().max(100).optional(),
  /** Key identifiers without a version. `toKey` is a re-key's target key. */
  key: KEY_ID,
  toKey: KEY_ID.optional(),
  rekey: z.string().max(100).optional(),
  mode: z.enum(['pinned', 'automatic']),
  /** Key versions. */
  from: z.string().max(64).optional(),
  to: z.string().max(64),
  at: z.iso.datetime(),
  /** Version 2 read the result but failed to record it. */
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

/** Leases of version 3. A subscription's first holder adopts the in-flight moves of version 2 into its lease. */
export function adoptingLeases(
  settings: Pick<Settings, 'storage'>,
  credential: () => TokenCredential,
  ports: AdoptPorts,
): Leases {
  // Version 2 used one storage account for all zones.
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
        // An operator may have deleted the container and its role assignment.
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
 * Records each completed move under its version 2 id, so that readers show it once. Saves the other moves in the lease
 * as in-flight writes of a dead worker: their PATCH may still take effect, and a worker verifies it after two minutes.
 *
 * @throws if the audit trail rejects a move's record: the next pass adopts all moves again
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

/** Returns the move if its PATCH may still take effect. */
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
    // A later pass needs the row to detect that the move took effect.
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
