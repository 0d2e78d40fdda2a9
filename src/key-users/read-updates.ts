import type { OtherDependent, UserMode } from './dependent.ts';
import { findKeyUserType, isPreviousKey, type KeyUserType } from './key-user-types.ts';

interface Updates {
  readonly mode: UserMode;
  readonly version?: string;
}

type Use = OtherDependent['uses'][number];

/**
 * How a resource takes up new versions of a key, and which version it uses.
 *
 * @param type in any letter case
 * @param uses those of one key
 */
export function readUpdates(type: string, properties: unknown, uses: readonly Use[]): Updates {
  const entry = findKeyUserType(type);
  const current = uses.filter(({ path }) => !isPreviousKey(type, path));
  const shownBy = entry?.versionInUse?.toLowerCase();
  const isInUse = ({ path }: Use): boolean => path.toLowerCase().split('.').at(-1) === shownBy;

  const shown = current.find((use) => isInUse(use) && use.version !== undefined)?.version;
  const set = current.filter((use) => !isInUse(use));
  const version = shown ?? set.find((use) => use.version !== undefined)?.version;

  return { mode: modeOf(entry, properties, set), ...(version === undefined ? {} : { version }) };
}

function modeOf(entry: KeyUserType | undefined, properties: unknown, set: readonly Use[]): UserMode {
  if (!entry || set.length === 0) return 'unknown';

  const { follows } = entry;
  const namesVersion = set.some(({ version }) => version !== undefined);

  if (follows === 'never') return 'byHand';
  if (follows === 'hidden') return 'unknown';
  if (follows === 'versionless') return namesVersion ? 'pinned' : 'automatic';
  if (follows === undefined) return namesVersion ? 'byHand' : 'unknown';

  return readPath(properties, follows.flag) === true ? 'automatic' : 'pinned';
}

/** The value at a path such as `encryption.keyVaultProperties`; undefined if there is none. */
export function readPath(properties: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), properties);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
