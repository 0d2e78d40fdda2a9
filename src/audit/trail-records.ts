import type { AuditFiles } from './audit-files.ts';
import { compareFileNames, parseFileName } from './file-name.ts';
import { seenBefore } from './find-entry.ts';
import { linesOf } from './lines.ts';
import { type AuditEntry, type AuditRecord, parseRecord } from './record.ts';

/** A record of the trail with what it says happened. */
export interface RecordedEntry extends Pick<AuditRecord, 'seq' | 'id' | 'time' | 'hash' | 'intact'> {
  readonly entry: AuditEntry;
}

/** Which records; every condition that is given has to hold. */
export interface TrailFilter {
  /** `<key>` or `<vault>/<key>`, or an identifier. */
  readonly key?: string | undefined;
  /** Name or ARM id of a storage account. */
  readonly account?: string | undefined;
  /** Object id or name of who did it; `app` for the app by itself. */
  readonly by?: string | undefined;
  readonly since?: Date | undefined;
}

/** The records that a filter means, oldest first. They are read, not verified: `verifyTrail` does that. */
export async function* trailRecords(files: AuditFiles, filter: TrailFilter = {}): AsyncGenerator<RecordedEntry> {
  const first = filter.since && seenBefore(filter.since).file;
  const names = (await files.list())
    .map(({ name }) => name)
    .filter((name) => parseFileName(name) && (first === undefined || compareFileNames(name, first) >= 0))
    .sort(compareFileNames);
  for (const name of names) {
    for await (const { bytes } of linesOf(await files.stream(name))) {
      const record = parseRecord(bytes);
      if (!record?.entry) continue;
      const { seq, id, time, hash, intact } = record;
      const read = { seq, id, time, hash, intact, entry: record.entry as unknown as AuditEntry };
      if (isMeant(read, filter)) yield read;
    }
  }
}

/** Whether a record is one of those that a filter means. */
export function isMeant({ time, entry }: Pick<RecordedEntry, 'time' | 'entry'>, filter: TrailFilter): boolean {
  const { key, account, by, since } = filter;
  if (since !== undefined && new Date(time) < since) return false;
  if (by !== undefined && !isBy(entry, by.toLowerCase())) return false;
  const about = `${entry.resource} ${JSON.stringify(entry.details ?? {})}`.toLowerCase();
  if (account !== undefined && !names(about, accountPath(account.toLowerCase()))) return false;
  return key === undefined || keyPaths(key.toLowerCase()).every((path) => names(about, path));
}

function isBy({ caller }: AuditEntry, by: string): boolean {
  if (by === 'app') return caller === undefined;
  return [caller?.objectId, caller?.name].some((one) => one?.toLowerCase() === by);
}

/** Whether a name stands there as a whole: `st1` is not in `…/st10`. */
function names(text: string, path: string): boolean {
  for (let at = text.indexOf(path); at >= 0; at = text.indexOf(path, at + 1)) {
    if (!/[a-z0-9-]/.test(text[at + path.length] ?? '')) return true;
  }
  return false;
}

function accountPath(account: string): string {
  return account.startsWith('/') ? account : `/storageaccounts/${account}`;
}

function keyPaths(key: string): string[] {
  if (key.startsWith('https://')) return [key];
  const [vault, name] = key.split('/');
  return name === undefined ? [`/keys/${key}`] : [`//${vault}`, `/keys/${name}`];
}
