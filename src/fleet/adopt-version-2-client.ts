import type { TokenCredential } from '@azure/identity';
import type { ContainerClient } from '@azure/storage-blob';
import pMap from 'p-map';
import { z } from 'zod';
import { AUDIT_WAIT_MS, type RecordAudit } from '../audit/audit-trail.ts';
import { controlContainer } from '../azure/app-storage.ts';
import { readBlobText } from '../azure/blobs.ts';
import { withinTime } from '../azure/deadline.ts';
import { describeFailure, errorText, unlessMissing } from '../azure/failure.ts';
import { CONCURRENCY } from '../azure/limits.ts';
import { parseStorageAccountId } from '../azure/resource-id.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';
import type { Settings } from '../settings/settings.ts';
import { parseJson } from '../text.ts';
import { DAY_MS } from '../time/spans.ts';
import { LEASE_CONTAINER, type Lease, type Leases } from '../work/lease-client.ts';
import { parseCause } from '../work/messages.ts';
import { recordMoves } from './audit-records.ts';
import { accountId, isManagedSubscription } from './fleet-keys.ts';
import { observe, type ReadUse } from './observe.ts';
import { readUse } from './read-use.ts';
import type { Move } from './reconcile-use.ts';
import type { StorageAccounts } from './storage-client.ts';
import type { UseRow, UseRows } from './use-row.ts';
import type { WorkItems } from './work-items.ts';
import type { PassState } from './worker-ports.ts';

// What version 2 left in storage and version 3 would not find by itself. It can be deleted after one release, with what calls
// it and test/upgrade.

/** An older move of version 2 is over, and was recorded or reported by version 2. */
const LONGEST_MS = DAY_MS;
const READ_MS = 30_000;
const SOON_MS = 1_000;
const PREFIX = 'account/';

/** A move that version 2 began and had not taken off its journal: the state of the lease `account/<subscription>/<name>`. */
const MOVE = z.object({
  /** Of its audit record. */
  id: z.string().max(100),
  account: z.string().refine((id) => parseStorageAccountId(id) !== undefined),
  scope: z.string().max(100).optional(),
  /** Identifiers without a version; `toKey`: of the key that a re-key moves it to. */
  key: z.string().refine(isKey),
  toKey: z.string().refine(isKey).optional(),
  rekey: z.string().max(100).optional(),
  mode: z.enum(['pinned', 'automatic']),
  /** Versions. */
  from: z.string().max(64).optional(),
  to: z.string().max(64),
  cause: z.unknown().transform((cause) => parseCause(JSON.stringify(cause))),
  /** When it was announced, right before its PATCH. */
  at: z.iso.datetime(),
  /** Version 2 knew how it had ended, and could not record it. */
  done: z.object({ reason: z.string(), to: z.string().max(64).optional() }).optional(),
});
type OldMove = z.output<typeof MOVE>;
const JOURNAL = z.object({ moves: z.array(MOVE) });

export interface Version2Ports {
  readonly leases: Leases;
  readonly accounts: StorageAccounts;
  readonly rows: UseRows;
  readonly items: Pick<WorkItems, 'putNew'>;
  readonly audit: RecordAudit;
  readonly now: () => Date;
}

export interface Version2 {
  /** The leases of version 3. Who first holds the one of a subscription finds there what version 2 had begun to move. */
  readonly leases: Leases;
  /** Has subscriptions listed in which version 2 left moves, once for each instance. Never throws: the next sweep calls it again. */
  adopt(log: Log): Promise<void>;
}

export function createVersion2(
  settings: Pick<Settings, 'storage' | 'subscriptions'>,
  credential: () => TokenCredential,
  ports: Version2Ports,
): Version2 {
  // Version 2 had one account for everything.
  const container = controlContainer(settings, credential, LEASE_CONTAINER);
  // None is written any more, so that one list of them is enough.
  let listing: ReturnType<typeof listJournals> | undefined;
  const journals = (): ReturnType<typeof listJournals> => {
    listing ??= listJournals(container, ports.now()).catch((error: unknown) => {
      listing = undefined;
      throw error;
    });
    return listing;
  };
  let isAdopted = false;
  return {
    leases: {
      async acquire(name) {
        const lease = await ports.leases.acquire(name);
        const [, subscription] = /^subscription\/(.+)$/.exec(name) ?? [];
        if (!lease || subscription === undefined || lease.state !== undefined) return lease;
        try {
          const names = (await journals()).get(subscription.toLowerCase()) ?? [];
          const moves = await pMap(names, (name) => readJournal(container, name), { concurrency: CONCURRENCY });
          await adoptMoves(moves.flat(), lease, ports);
        } catch (error) {
          await lease.release();
          throw error;
        }
        return lease;
      },
    },
    async adopt(log) {
      if (isAdopted) return;
      try {
        const since = ports.now();
        // The sweep that follows messages what is due soon.
        const item = { kind: 'list', about: '', due: new Date(since.getTime() + SOON_MS), since } as const;
        const cause = { by: 'upgrade', ref: '', since: since.toISOString() };
        const begun = [...(await journals()).keys()].filter((id) => isManagedSubscription(id, settings));
        await ports.items.putNew(begun.map((subscription) => ({ ...item, subscription, cause })));
        isAdopted = true;
      } catch (error) {
        const message = `What version 2 left could not be read; it is read again. ${errorText(error)}`;
        log({ level: 'warning', reason: 'FleetIndexUnavailable', message });
      }
    },
  };
}

/** Names of the journals that version 2 wrote lately, by subscription in lower case. */
async function listJournals(container: ContainerClient, now: Date): Promise<ReadonlyMap<string, readonly string[]>> {
  const names: string[] = [];
  try {
    await withinTime(READ_MS, async (limit) => {
      for await (const { name, properties } of container.listBlobsFlat({ prefix: PREFIX, ...limit })) {
        if (properties.lastModified.getTime() >= now.getTime() - LONGEST_MS) names.push(name);
      }
    });
  } catch (error) {
    // The right on the container may be gone with the container.
    if (!['notFound', 'forbidden'].includes(describeFailure(error).kind)) throw error;
  }
  return Map.groupBy(names, (name) => name.split('/')[1]?.toLowerCase() ?? '');
}

async function readJournal(container: ContainerClient, name: string): Promise<readonly OldMove[]> {
  const blob = container.getBlobClient(name);
  const read = await unlessMissing(() => withinTime(READ_MS, (limit) => readBlobText(blob, limit)));
  return JOURNAL.safeParse(parseJson(read?.text ?? '')).data?.moves ?? [];
}

/**
 * Records what has moved, under the id that version 2 would have recorded it by. The rest is left in the lease as if a worker
 * of version 3 had announced it and died: its PATCH may still land, and is verified two minutes later.
 *
 * @throws where a move cannot be recorded: the next pass begins here again
 */
async function adoptMoves(moves: readonly OldMove[], lease: Lease, ports: Version2Ports): Promise<void> {
  if (moves.length === 0) return;
  const left = (await pMap(moves, (move) => adoptMove(move, ports), { concurrency: CONCURRENCY })).flat();
  const pass = {
    startedOn: moves.map(({ at }) => at).sort()[0] ?? ports.now().toISOString(),
    targets: Object.fromEntries(left.map((move) => [move.toKey ?? move.key, targetOf(move)])),
  };
  await lease.save({ pass, unclean: 0, usage: {} } satisfies PassState);
}

/** @returns the move if it may still take effect */
async function adoptMove(move: OldMove, ports: Version2Ports): Promise<readonly OldMove[]> {
  const { account, scope, key, toKey, mode, from, at, done } = move;
  if (done) {
    if (done.to) await record(move, { from: versionId(key, from), to: targetOf({ ...move, to: done.to }) }, ports);
    return [];
  }
  const use = { account, ...(scope === undefined ? {} : { scope }) };
  let row: UseRow | undefined;
  for await (const one of ports.rows.ofAccount(key, account)) if (sameScope(one.scope, scope)) row = one;
  const before: UseRow = {
    ...{ location: '', ...row, ...use, key, mode, readOn: at, state: 'pending', at, attempts: 0 },
    ...(mode === 'pinned' ? { pinned: from } : {}),
    current: from,
  };
  let read: ReadUse | undefined;
  try {
    read = await readUse(accountId(account), before, ports);
  } catch {
    return [move];
  }
  if (!read) return [];
  const announced = { startedOn: new Date(at), targets: { [toKey ?? key]: targetOf(move) } };
  const observation = observe(before, read, [announced]);
  if (observation.outdated || !observation.row) return [move];
  if (!observation.found) {
    // So that it is known for a move once it lands.
    if (!row) await ports.rows.put([observation.row]);
    return [move];
  }
  await record(move, observation.found, ports);
  const { movedFrom: _, ...moved } = observation.row;
  await ports.rows.put([moved]);
  if (toKey !== undefined) await ports.rows.drop([before]);
  return [];
}

/** Version 2 may have recorded the move before it died: the record has the same id, so readers show one. */
async function record(
  { id, account, scope, key, toKey, rekey, mode, cause, at }: OldMove,
  { from, to }: Pick<Move, 'from' | 'to'>,
  { audit }: Version2Ports,
): Promise<void> {
  const move: Move = {
    ...{ id, account, key, from, to, mode, provenBy: 'read' },
    ...(scope === undefined ? {} : { scope }),
    ...(rekey === undefined ? {} : { rekey }),
    reason: toKey !== undefined ? 'Rekeyed' : mode === 'automatic' ? 'Refreshed' : 'Moved',
  };
  const recorded = await recordMoves([{ move, cause: cause ?? { by: 'upgrade', ref: '', since: at } }], (entry) => {
    const details = { ...entry.details, at, foundIn: LEASE_CONTAINER };
    return audit({ ...entry, details }, AUDIT_WAIT_MS);
  });
  if (recorded.size === 0) throw new Error(`${REASONS.AuditFailed} ${id}`);
}

function isKey(id: string): boolean {
  return parseKeyIdentifier(id) !== undefined;
}

function targetOf({ key, toKey, to }: Pick<OldMove, 'key' | 'toKey' | 'to'>): string {
  return versionId(toKey ?? key, to) ?? '';
}

function versionId(key: string, version: string | undefined): string | undefined {
  const parsed = parseKeyIdentifier(key);
  return parsed && version ? formatKeyIdentifier(parsed, version) : undefined;
}

function sameScope(one: string | undefined, other: string | undefined): boolean {
  return one?.toLowerCase() === other?.toLowerCase();
}
