import { formatKeyIdentifier, parseKeyIdentifier, sameKeyName } from '../keys/key-identifier.ts';
import { CLOCKS_MS } from '../time/spans.ts';
import { type KeyUse, usedVersionId } from './key-use.ts';
import { type UseRow, versionOfRow } from './use-row.ts';
import type { Targets } from './work-items.ts';

/** A use as Azure showed it. */
export interface ReadUse {
  /** Of a key of Key Vault, whether managed or not; undefined: of none. */
  readonly use: KeyUse | undefined;
  /** Azure's own time stamp of the version in use (ISO 8601); empty where it has none. */
  readonly stamp: string;
  /** When the read began. */
  readonly startedOn: Date;
  /** What the index keeps of it beside. */
  readonly about: Pick<UseRow, 'account' | 'scope' | 'location' | 'identity' | 'wave'>;
}

/** What a pass announced before its first PATCH: this one, or one whose worker died. */
export interface Announcement {
  readonly startedOn: Date;
  readonly targets: Targets;
}

export type Observation =
  /** The read began before what the row holds. */
  | { readonly outdated: true }
  | {
      readonly outdated: false;
      /** Undefined: it uses no key of Key Vault, or the key's name is invalid. */
      readonly row: UseRow | undefined;
      /** A move of the app's own that the row does not have yet. */
      readonly found?: { readonly from: string | undefined; readonly to: string };
      /** A change that others made: an operator, Storage itself. */
      readonly changed?: { readonly from: string | undefined; readonly to: string | undefined };
    };

/**
 * Compares what Azure shows with what the index has. The only place where it is decided whose move a change was: the app's
 * own if the row says that such a PATCH was not answered, or if a pass announced that version (of an automatic use: any) and
 * Azure's time stamp is not from before it.
 *
 * @param row undefined: the index has none
 */
export function observe(row: UseRow | undefined, read: ReadUse, announced: readonly Announcement[]): Observation {
  const aheadMs = row ? Date.parse(row.at) - read.startedOn.getTime() : 0;
  // No read takes that long: the time of the row is not believed.
  if (aheadMs > 0 && aheadMs <= CLOCKS_MS) return { outdated: true };
  const seen = rowOf(read);
  if (!row) return { outdated: false, row: seen };
  const [from, to] = [versionOfRow(row), read.use && usedVersionId(read.use)];
  if (from !== undefined && from === to) return { outdated: false, row: seen && refreshed(row, seen) };
  if (to !== undefined && isOwnMove(row, to, read.stamp, announced)) {
    return {
      outdated: false,
      row: seen && { ...seen, state: 'done', movedFrom: from ?? row.key, target: to },
      found: { from, to },
    };
  }
  // Azure may show a version now that it did not show before.
  if (from === undefined && to !== undefined) return { outdated: false, row: seen };
  return { outdated: false, row: seen, changed: { from, to } };
}

function rowOf({ use, stamp, startedOn, about }: ReadUse): UseRow | undefined {
  const key = use && formatKeyIdentifier(use);
  if (!key || !parseKeyIdentifier(key)) return undefined;
  const { pinned, current } = use;
  const readOn = startedOn.toISOString();
  return {
    ...{ ...about, key, mode: pinned === undefined ? 'automatic' : 'pinned', pinned, current },
    ...{ readOn, at: readOn, state: 'pending', stamp: stamp || undefined, attempts: 0 },
  };
}

/** The same version as before: what the row says of its last try stays, unless the mode is another one. */
function refreshed(row: UseRow, seen: UseRow): UseRow {
  if (row.mode !== seen.mode || row.pinned !== seen.pinned) return seen;
  const { state, reason, target, attempts, notBefore, movedFrom } = row;
  return { ...seen, state, reason, target, attempts, notBefore, movedFrom };
}

/** Identifier without the version; empty: it is none. */
export function keyOfVersion(version: string): string {
  const key = parseKeyIdentifier(version);
  return key ? formatKeyIdentifier(key) : '';
}

function isOwnMove(row: UseRow, to: string, stamp: string, announced: readonly Announcement[]): boolean {
  const onto = keyOfVersion(to);
  const isTried = row.target === to || (row.mode === 'automatic' && sameKeyName(keyOfVersion(row.target ?? ''), onto));
  if (row.state === 'indeterminate' && isTried) return true;
  return announced.some(({ startedOn, targets }) => {
    const target = Object.entries(targets).find(([key]) => sameKeyName(key, onto))?.[1];
    // Asked to refresh an automatic use, Storage takes the newest version of all, which may be newer than the announced one.
    const isTarget = target === to || (target !== undefined && row.mode === 'automatic');
    return isTarget && (stamp === '' || Date.parse(stamp) >= startedOn.getTime() - CLOCKS_MS);
  });
}
