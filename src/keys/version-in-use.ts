/** The versions that a use of a key names. */
interface VersionsOfUse {
  /** Undefined for automatic updates. */
  readonly pinned?: string | undefined;
  /** The version that wraps the data's key; undefined if Azure omits it. */
  readonly current?: string | undefined;
}

/** Returns the version that wraps the data's key, or the pinned version if Azure omits it. */
export function getVersionInUse({ current, pinned }: VersionsOfUse): string | undefined {
  return current ?? pinned;
}

export function getUpdateMode({ pinned }: Pick<VersionsOfUse, 'pinned'>): 'pinned' | 'automatic' {
  return pinned === undefined ? 'automatic' : 'pinned';
}
