import { getUsedVersionId, type KeyUse } from '../accounts/key-use.ts';
import { CLOCKS_MS } from '../formats/spans.ts';
import { getVersionOfRow, type UseRow } from '../index/use-row.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { getUpdateMode } from '../keys/version-in-use.ts';
import type { Announcement } from './pass-state.ts';

/** A use that a worker read from Azure. */
export interface ReadUse {
  /** A use of any Key Vault key; undefined if the account or scope uses none. */
  readonly use: KeyUse | undefined;
  /** Azure's timestamp of the version in use (ISO 8601); empty if Azure returns none. */
  readonly stamp: string;
  /** Start of the read. */
  readonly startedOn: Date;
  /** Other fields for the index row. */
  readonly about: Pick<UseRow, 'account' | 'scope' | 'location' | 'identity' | 'wave'>;
}

export interface Observation {
  /**
   * Undefined if the use has no key in Key Vault, or an invalid key name. `movedFrom` marks a move by the app, or by Azure
   * with `isPickedUp`.
   */
  readonly row: UseRow | undefined;
  /** A change by another actor: an operator or Azure Storage. */
  readonly changed?: { readonly from: string | undefined; readonly to: string | undefined };
}

/**
 * Compares a read from Azure with the index row. Only this function attributes changes. A change is the app's own if
 * the row says that such a PATCH got no answer. A change to a version that a dead worker announced (for an automatic
 * use: any version) may be its move, unless Azure's timestamp is older than the announcement. It is recorded as only
 * observed, since the worker did not store for which uses it sent a PATCH.
 *
 * @param announced by workers that died; a running pass knows its own moves from their answers
 */
export function observe(row: UseRow, read: ReadUse, announced: readonly Announcement[]): Observation {
  const seen = toUseRowOf(read);
  const from = getVersionOfRow(row);
  const to = read.use && getUsedVersionId(read.use);
  if (from !== undefined && from === to) return { row: seen && refreshRow(row, seen) };

  if (seen && to !== undefined) {
    const moved: UseRow = { ...seen, state: 'done', movedFrom: from ?? row.key, target: to };
    if (isOwnMove(row, to)) return { row: moved };

    const isPerhapsOwn = announced.some((announcement) => isAnnounced(row, to, read.stamp, announcement));
    if (isPerhapsOwn) return { row: { ...moved, isOnlyObserved: true } };
  }

  // Azure may now return a version that an earlier read lacked.
  if (from === undefined && to !== undefined) return { row: seen };

  const changed = { from, to };

  // No log of Azure has this change: without a record only the timestamp of the account would show it.
  if (seen && isPickUp(row, seen)) return { row: { ...seen, movedFrom: from, isPickedUp: true }, changed };

  return { row: seen, changed };
}

/** Returns the row of a use that the index lacks; undefined without a key in Key Vault, or with an invalid name. */
export function toUseRowOf({ use, stamp, startedOn, about }: ReadUse): UseRow | undefined {
  const key = use && formatKeyIdentifier(use);
  if (!key || !parseKeyIdentifier(key)) return undefined;

  const { pinned, current } = use;
  const readOn = startedOn.toISOString();

  return {
    ...about,
    key,
    mode: getUpdateMode(use),
    pinned,
    current,
    readOn,
    at: readOn,
    state: 'pending',
    stamp: stamp || undefined,
    attempts: 0,
  };
}

/** Copies the last attempt's result to the row of an unchanged version, unless the mode or the pin changed. */
export function refreshRow(row: UseRow, seen: UseRow): UseRow {
  if (row.mode !== seen.mode || row.pinned !== seen.pinned) return seen;
  const { state, reason, target, attempts, notBefore, movedFrom, isOnlyObserved, isPickedUp } = row;
  return { ...seen, state, reason, target, attempts, notBefore, movedFrom, isOnlyObserved, isPickedUp };
}

/** Returns the key identifier without the version; empty if the text is none. */
export function getKeyOfVersion(version: string): string {
  const key = parseKeyIdentifier(version);
  return key ? formatKeyIdentifier(key) : '';
}

/** Returns whether the app sent a PATCH to that version, and got no answer. */
function isOwnMove({ state, mode, target = '' }: UseRow, to: string): boolean {
  if (state !== 'indeterminate') return false;
  return target === to || (mode === 'automatic' && getKeyOfVersion(target) === getKeyOfVersion(to));
}

/**
 * Returns whether an automatic use of a key changed its version: Storage checks for a new one once a day, and whenever
 * another writer updates the account.
 */
function isPickUp(row: UseRow, seen: UseRow): boolean {
  const isAutomatic = row.mode === 'automatic' && seen.mode === 'automatic';
  return isAutomatic && row.key === seen.key && row.current !== undefined && seen.current !== undefined && !!seen.stamp;
}

function isAnnounced({ mode }: UseRow, to: string, stamp: string, { startedOn, targets }: Announcement): boolean {
  const target = targets[getKeyOfVersion(to)];
  // On a refresh, Storage uses the newest version, which may be newer than the announced version.
  const isTarget = target === to || (target !== undefined && mode === 'automatic');
  return isTarget && (stamp === '' || Date.parse(stamp) >= startedOn.getTime() - CLOCKS_MS);
}
