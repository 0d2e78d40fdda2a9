import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

type Variables = Readonly<Record<string, string | undefined>>;

/** Names that were seen, for completion. It is a convenience: nothing is decided by it, and no failure is told. */
export interface KnownNames {
  readonly accounts: readonly string[];
  /** Names of keys. */
  readonly keys: readonly string[];
  readonly vaults: readonly string[];
}

/** Of each kind; a shell has no use for more. */
const MOST = 5_000;
const NONE: KnownNames = { accounts: [], keys: [], vaults: [] };

/** Where names are kept (XDG Base Directory Specification); undefined without a home. */
function cacheFile({ XDG_CACHE_HOME, HOME, LOCALAPPDATA }: Variables): string | undefined {
  const folder = XDG_CACHE_HOME || LOCALAPPDATA || (HOME && join(HOME, '.cache'));
  return folder ? join(folder, 'cmk', 'names.json') : undefined;
}

export function knownNames(environment: Variables): KnownNames {
  try {
    const read: unknown = JSON.parse(readFileSync(cacheFile(environment) ?? '', 'utf8'));
    const names = (kind: keyof KnownNames): string[] => {
      const list: unknown = (read as Record<string, unknown>)[kind];
      // They end up on a command line: what cannot be a name of Azure's is none.
      return Array.isArray(list) ? list.filter((name) => typeof name === 'string' && /^[\w-]+$/.test(name)) : [];
    };
    return { accounts: names('accounts'), keys: names('keys'), vaults: names('vaults') };
  } catch {
    return NONE;
  }
}

/** Adds names to those that are known. */
export function rememberNames(environment: Variables, seen: KnownNames): void {
  const file = cacheFile(environment);
  if (file === undefined) return;
  const before = knownNames(environment);
  const merged = (kind: keyof KnownNames): string[] => [...new Set([...seen[kind], ...before[kind]])].slice(0, MOST);
  const names: KnownNames = { accounts: merged('accounts'), keys: merged('keys'), vaults: merged('vaults') };
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify(names), { mode: 0o600 });
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A home that cannot be written to has no completion of names.
  }
}
