import { lookForNewVersions } from '../storage/automatic-versions.ts';
import type { VaultLogEntry, Workspace, World } from '../world.ts';
import { logUnwraps } from './vault-log.ts';

const HOUR_MS = 3_600_000;

/** What the query asks about. */
interface UsageQuery {
  /** Type and name: `vaults/kv-files`. */
  readonly vault: string;
  readonly key: string;
  readonly silentHours: number;
  /** A vault's entries of these names are uses. */
  readonly operations?: readonly string[];
  /** A Managed HSM's entries are told by these patterns. */
  readonly patterns?: Readonly<Record<'arm' | 'path' | 'owner' | 'sounds', RegExp>>;
}

interface UsageRow {
  readonly Kind: 'use' | 'log' | 'silence';
  readonly Version: string;
  readonly OperationName: string;
  readonly Since: string;
  readonly Until: string;
  readonly ObjectId: string;
  readonly AppId: string;
  readonly Path: string;
}

/** What the query has to have in it, each in its place, to be the one that is served. */
const HEAD = [
  /let vault = "\/providers\/microsoft\.keyvault\/(?<vault>(?:vaults|managedhsms)\/[0-9a-z-]+)";/,
  /let key = "(?<key>[0-9a-z-]+)";/,
  /\(AzureDiagnostics\s+\| where Category == "AuditEvent" and _ResourceId endswith vault/,
  /id_s.*requestUri_s/,
  /\(AZKVAuditLogs\s+\| where _ResourceId endswith vault/,
];
const OF_VAULT = [
  /OperationName in \((?<operations>[^)]+)\)/,
  /summarize arg_max\(TimeGenerated, ObjectId, AppId\) by Version, OperationName/,
];
const OF_HSM = [
  /extend Uri = tolower\(Uri\), Sounds = tolower\(OperationName\) matches regex "(?<sounds>[^"]+)"/,
  /where Sounds or not\(Uri matches regex @"(?<arm>[^"]+)"\)/,
  /extend Path = extract\(@"(?<path>[^"]+)", 1, Uri\)\s+\| extend Owner = extract\(@"(?<owner>[^"]+)", 1, Path\)/,
  /where isempty\(Path\) or Owner == key or \(isempty\(Owner\) and Sounds\)/,
  /summarize arg_max\(TimeGenerated, ObjectId, AppId\) by Path, OperationName/,
];
const TAIL = [
  /summarize Since = min\(TimeGenerated\), Until = max\(TimeGenerated\)/,
  /where Hour - Since > (?<silence>\d+)h/,
];

/** Undefined for any other query. */
export function readUsageQuery(query: string): UsageQuery | undefined {
  const found: Record<string, string | undefined> = {};
  let rest = query;
  const kind = /"\/providers\/microsoft\.keyvault\/managedhsms\//.test(query) ? OF_HSM : OF_VAULT;
  for (const part of [...HEAD, ...kind, ...TAIL]) {
    const match = part.exec(rest);
    if (!match) return undefined;
    Object.assign(found, match.groups);
    rest = rest.slice(match.index + match[0].length);
  }
  const { vault = '', key = '', operations = '', silence, arm = '', path = '', owner = '', sounds = '' } = found;
  const asked = { vault, key, silentHours: Number(silence) };
  if (kind === OF_VAULT)
    return { ...asked, operations: [...operations.matchAll(/"(\w+)"/g)].map(([, name]) => name ?? '') };
  const patterns = {
    arm: new RegExp(arm),
    path: new RegExp(path),
    owner: new RegExp(owner),
    sounds: new RegExp(sounds),
  };
  return { ...asked, patterns };
}

/** What the workspace shows by now: what was written of late is still on its way. */
export function usageRows(world: World, workspace: Workspace, query: UsageQuery): UsageRow[] {
  for (const account of world.storageAccounts.values()) {
    lookForNewVersions(world, account);
    logUnwraps(world, account);
  }
  const until = world.clock.nowMs() - world.settings.logDelayMs;
  const entries = world.vaultLog.flatMap((entry): VaultLogEntry[] => {
    const ours =
      entry.workspace === workspace.id.toLowerCase() &&
      entry.vaultId.toLowerCase().endsWith(`/providers/microsoft.keyvault/${query.vault}`);
    if (!ours || entry.fromMs > until) return [];
    const hours = Math.floor((Math.min(entry.toMs, until) - entry.fromMs) / HOUR_MS);
    return [entry.toMs <= until ? entry : { ...entry, toMs: entry.fromMs + hours * HOUR_MS }];
  });
  return [...uses(entries, query), ...coverage(entries), ...silences(entries, query.silentHours)];
}

function uses(entries: readonly VaultLogEntry[], query: UsageQuery): UsageRow[] {
  const last = new Map<string, UsageRow>();
  for (const entry of entries) {
    const told = query.patterns ? toldByAddress(entry, query.key, query.patterns) : toldByName(entry, query);
    if (!told) continue;
    const { operation: OperationName, objectId: ObjectId = '', appId: AppId = '', toMs } = entry;
    const shown = { ...row('use', toMs, toMs), ...told, OperationName, ObjectId, AppId };
    const group = `${shown.Version} ${shown.Path} ${OperationName}`;
    const before = last.get(group);
    if (!before || before.Until <= shown.Until) last.set(group, shown);
  }
  return [...last.values()];
}

function toldByName(
  { keyName, operation, version = '' }: VaultLogEntry,
  { key, operations = [] }: UsageQuery,
): Pick<UsageRow, 'Version'> | undefined {
  return keyName?.toLowerCase() === key && operations.includes(operation) ? { Version: version } : undefined;
}

function toldByAddress(
  { uri = '', operation }: VaultLogEntry,
  key: string,
  { arm, path, owner, sounds }: NonNullable<UsageQuery['patterns']>,
): Pick<UsageRow, 'Path'> | undefined {
  const address = uri.toLowerCase();
  const soundsLikeUse = sounds.test(operation.toLowerCase());
  if (!soundsLikeUse && arm.test(address)) return undefined;
  const [, Path = ''] = path.exec(address) ?? [];
  const [, of = ''] = owner.exec(Path) ?? [];
  const given = Path === '' || of === key || (of === '' && soundsLikeUse);
  return given ? { Path } : undefined;
}

function coverage(entries: readonly VaultLogEntry[]): UsageRow[] {
  if (entries.length === 0) return [];
  return [row('log', Math.min(...entries.map((one) => one.fromMs)), Math.max(...entries.map((one) => one.toMs)))];
}

function silences(entries: readonly VaultLogEntry[], hours: number): UsageRow[] {
  const rows: UsageRow[] = [];
  const hourOf = (ms: number): number => Math.floor(ms / HOUR_MS) * HOUR_MS;
  let heard: number | undefined;
  for (const { fromMs, toMs } of [...entries].sort((a, b) => a.fromMs - b.fromMs)) {
    const from = hourOf(fromMs);
    if (heard !== undefined && from - heard > hours * HOUR_MS) rows.push(row('silence', heard, from));
    heard = Math.max(heard ?? 0, hourOf(toMs));
  }
  return rows.reverse().slice(0, 100);
}

function row(Kind: UsageRow['Kind'], sinceMs: number, untilMs: number): UsageRow {
  const Since = new Date(sinceMs).toISOString();
  return {
    Kind,
    Version: '',
    OperationName: '',
    Since,
    Until: new Date(untilMs).toISOString(),
    ObjectId: '',
    AppId: '',
    Path: '',
  };
}
