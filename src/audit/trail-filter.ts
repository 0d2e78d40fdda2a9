import { formatDay } from '../formats/duration.ts';
import type { RouteKey } from '../http/access.ts';
import { formatKeyIdentifier, parseKeyIdentifier } from '../keys/key-identifier.ts';
import { CLOCKS_APART_MS, compareFileNames, formatFileName, nameFirstFileSince, parseFileName } from './file-name.ts';
import type { AuditEntry, RecordedEntry } from './record.ts';

/** Filter of records: a record must match every given condition. */
export interface TrailFilter {
  /** `<key>` or `<vault>/<key>`, or an identifier. */
  readonly key?: string | undefined;
  readonly vault?: string | undefined;
  /** Name or ARM id of a storage account. */
  readonly account?: string | undefined;
  /** Object id or name of the caller; `app` for the app itself. */
  readonly by?: string | undefined;
  /** An action (`key.revoke`), or every action of a subject (`key`). */
  readonly action?: string | undefined;
  readonly since?: Date | undefined;
  /** End of the time span, exclusive. */
  readonly until?: Date | undefined;
}

/** Whether a file may have records of the time span, given that writers' clocks differ. */
export function canHoldRecords({ since, until }: Pick<TrailFilter, 'since' | 'until'>): (file: string) => boolean {
  const first = since && nameFirstFileSince(since);
  const last = until && formatDay(new Date(until.getTime() + CLOCKS_APART_MS));
  return (file) =>
    (first === undefined || compareFileNames(file, first) >= 0) &&
    (last === undefined || (parseFileName(file)?.day ?? formatFileName({ day: last, part: 0 })) <= last);
}

export function isTrailMatch({ time, entry }: Pick<RecordedEntry, 'time' | 'entry'>, filter: TrailFilter): boolean {
  const { key, vault, account, by, action, since, until } = filter;
  if (since !== undefined && new Date(time) < since) return false;
  if (until !== undefined && new Date(time) >= until) return false;
  if (action !== undefined && !`${entry.action}.`.toLowerCase().startsWith(`${action.toLowerCase()}.`)) return false;
  if (by !== undefined && !isBy(entry, by.toLowerCase())) return false;
  if (account === undefined && key === undefined && vault === undefined) return true;

  const about = textOf(entry);
  if (account !== undefined && !names(about, accountPath(account.toLowerCase()))) return false;
  if (vault !== undefined && !vaultPaths(vault.toLowerCase()).some((path) => names(about, path))) return false;
  if (key === undefined) return true;

  const isName = vault !== undefined && !key.includes('/');

  return isAboutKey(entry, about, (isName ? `${vault}/${key}` : key).toLowerCase());
}

/** Every key whose identifier is in a record. */
export function listNamedKeys(entry: AuditEntry): RouteKey[] {
  const found = new Map<string, RouteKey>();
  for (const [identifier] of textOf(entry).matchAll(/https:\/\/[a-z0-9.-]+\/keys\/[0-9a-z-]{1,127}/g)) {
    const parsed = parseKeyIdentifier(identifier);
    const vault = parsed?.vaultName ?? identifier.slice('https://'.length).split('.')[0] ?? '';
    found.set(identifier, { vault, key: parsed?.keyName ?? identifier.split('/').at(-1) ?? '' });
  }
  return [...found.values()];
}

function isBy({ caller }: AuditEntry, by: string): boolean {
  if (by === 'app') return caller === undefined;
  return [caller?.objectId, caller?.name].some((one) => one?.toLowerCase() === by);
}

/** Fields with the caller's free text: a name in them does not make the record match. */
const UNVERIFIED: ReadonlySet<string> = new Set(['why', 'ticket', 'claimed']);

/** Searchable text of a record, in lower case. */
function textOf({ resource, details = {} }: AuditEntry): string {
  const facts = JSON.stringify(details, (name, value: unknown) => (UNVERIFIED.has(name) ? undefined : value));
  return `${resource} ${facts}`.toLowerCase();
}

/** Whether a text has a whole name: `st1` is not in `…/st10`. */
function names(text: string, path: string): boolean {
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1)) {
    if (!/[a-z0-9-]/.test(text[at + path.length] ?? '')) return true;
  }
  return false;
}

function accountPath(account: string): string {
  return account.startsWith('/') ? account : `/storageaccounts/${account}`;
}

function vaultPaths(vault: string): string[] {
  return [`//${vault}`, `/vaults/${vault}`, `/managedhsms/${vault}`];
}

/**
 * Whether a record is about a key. A single identifier must have both its vault and its name, because the record of a
 * re-key names two keys.
 *
 * @param about the record's text
 * @param key in lower case, see {@link TrailFilter}
 */
function isAboutKey(entry: AuditEntry, about: string, key: string): boolean {
  const parsed = parseKeyIdentifier(key);
  if (parsed) return names(about, formatKeyIdentifier(parsed, parsed.version));
  const [vault = '', name] = key.split('/');
  if (name === undefined) return names(about, `/keys/${key}`);
  return listNamedKeys(entry).some((found) => found.vault === vault && found.key === name);
}
