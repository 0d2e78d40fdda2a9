import pMap from 'p-map';
import { z } from 'zod';
import { CONCURRENCY } from '../azure/limits.ts';
import { compareText } from '../formats/text.ts';
import {
  compareAge,
  findNewestUsableVersion,
  findVersion,
  getActiveFrom,
  getUsability,
  type KeyVersion,
} from '../keys/key-versions.ts';
import { createManagedKey, type ManagedKey, type ManagedVault } from '../keys/managed-vaults.ts';
import { OTHER, type OtherDependent, UNREAD, USER_MODES } from './dependent.ts';
import { PartTracker } from './part-tracker.ts';
import type { ResourceGraph } from './resource-graph-client.ts';
import { createVaultUseQuery, listUsesOfVault } from './resource-graph-query.ts';

const KEY_USER = OTHER.extend({
  mode: z.enum(USER_MODES),
  key: z.string().describe('`<vault>/<key>`.'),
  behind: z
    .object({
      versions: z.int().positive().describe('Usable versions that are newer than its own.'),
      since: z.iso.datetime().describe('Time from which the oldest of them was usable.'),
    })
    .optional()
    .describe('Absent: it uses the newest usable version, or its version or those of the key are unknown.'),
});

export const USER_LIST = z.object({
  value: z.array(KEY_USER).describe('By key and ARM id.'),
  unread: z.array(UNREAD),
});

export type KeyUser = z.output<typeof KEY_USER>;
export type UserList = z.output<typeof USER_LIST>;

export interface UserListPorts {
  readonly resourceGraph: ResourceGraph;
  /** Versions of a key, oldest first. */
  readonly listVersions: (key: ManagedKey) => Promise<readonly KeyVersion[]>;
  readonly now: () => Date;
}

/**
 * Lists every resource in sight that names a key of these vaults, storage accounts included. Never throws: failed reads
 * are in `unread`.
 *
 * @param isWanted limits the list to keys
 */
export async function listKeyUsers(
  vaults: readonly ManagedVault[],
  isWanted: (key: ManagedKey) => boolean,
  { resourceGraph, listVersions, now }: UserListPorts,
  signal?: AbortSignal,
): Promise<UserList> {
  const parts = new PartTracker(signal);
  const found: { readonly key: ManagedKey; readonly user: OtherDependent }[] = [];

  // One vault after another: Resource Graph admits 15 queries in five seconds.
  for (const vault of vaults) {
    await parts.read(`users of keys in ${vault.name}`, 'OtherResourcesUnreadable', async () => {
      for await (const row of resourceGraph.query(createVaultUseQuery(vault), signal)) {
        for (const [name, user] of listUsesOfVault(row, vault)) {
          const key = createManagedKey(vault, name);
          if (isWanted(key)) found.push({ key, user });
        }
      }
    });
  }

  const keys = new Map(found.map(({ key }) => [key.id, key]));
  const versions = new Map<string, readonly KeyVersion[]>();
  const read = (key: ManagedKey) =>
    parts.read(`versions of ${nameOf(key)}`, 'Unreadable', async () => {
      versions.set(key.id, await listVersions(key));
    });

  await pMap(keys.values(), read, { concurrency: CONCURRENCY });

  const value = found.map(({ key, user }) => ({
    ...user,
    mode: user.mode ?? ('unknown' as const),
    key: nameOf(key),
    behind: describeLag(user.version, versions.get(key.id) ?? [], now()),
  }));

  value.sort((a, b) => compareText(`${a.key} ${a.id}`, `${b.key} ${b.id}`));

  return { value, unread: parts.missing() };
}

function nameOf({ vault, name }: ManagedKey): string {
  return `${vault.name}/${name}`;
}

/** Undefined: the version is the newest usable one, or unknown. */
function describeLag(named: string | undefined, versions: readonly KeyVersion[], now: Date): KeyUser['behind'] {
  const version = named === undefined ? undefined : findVersion(versions, named);
  if (!version || !findNewestUsableVersion(versions, now)) return undefined;

  const newer = versions.filter((other) => compareAge(other, version) > 0 && getUsability(other, now) === 'Usable');
  const [oldest] = newer.map((one) => getActiveFrom(one).toISOString()).sort();

  return oldest === undefined ? undefined : { versions: newer.length, since: oldest };
}
