import { lookForNewVersions } from '../storage/automatic-versions.ts';
import type { VaultLogEntry, Workspace, World } from '../world.ts';
import { logUnwraps } from './vault-log.ts';

const HOUR_MS = 3_600_000;

/** The parameters of the query. */
interface UsageQuery {
  /** Type and name: `vaults/kv-files`. */
  readonly vault: string;
  readonly key: string;
  readonly silentHours: number;
  /** The operations that count as a use. */
  readonly operations: readonly string[];
}

interface UsageRow {
  readonly Kind: 'use' | 'last' | 'log' | 'silence';
  readonly Version: string;
  readonly OperationName: string;
  readonly Since: string;
  readonly Until: string;
  readonly ObjectId: string;
  readonly AppId: string;
}

/** The parts that the query has to have, in this order. */
const PARTS = [
  /let vault = "\/providers\/microsoft\.keyvault\/(?<vault>vaults\/[0-9a-z-]+)";/,
  /let key = "(?<key>[0-9a-z-]+)";/,
  /\(AzureDiagnostics\s+\| where Category == "AuditEvent" and _ResourceId endswith vault/,
  /id_s.*requestUri_s/,
  /\(AZKVAuditLogs\s+\| where _ResourceId endswith vault/,
  /OperationName in \((?<operations>[^)]+)\)/,
  /summarize arg_max\(TimeGenerated, ObjectId, AppId\) by Version, OperationName/,
  /summarize arg_max\(TimeGenerated, Version, OperationName, AppId\) by ObjectId/,
  /summarize arg_max\(TimeGenerated, OperationName, ObjectId, AppId\) by Version/,
  /summarize Since = min\(TimeGenerated\), Until = max\(TimeGenerated\)/,
  /where Hour - Since > (?<silence>\d+)h/,
];

/** Undefined for any other query. */
export function readUsageQuery(query: string): UsageQuery | undefined {
  const found: Record<string, string | undefined> = {};
  let rest = query;

  for (const part of PARTS) {
    const match = part.exec(rest);
    if (!match) return undefined;

    Object.assign(found, match.groups);
    rest = rest.slice(match.index + match[0].length);
  }

  const { vault = '', key = '', operations = '', silence } = found;
  const names = [...operations.matchAll(/"(\w+)"/g)].map(([, name]) => name ?? '');

  return { vault, key, silentHours: Number(silence), operations: names };
}

/** The rows that the workspace shows now. The latest entries are not in it yet. */
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

  const used = usesOf(entries, query);
  const newest = latestBy(used, ({ Version, OperationName }) => `${Version} ${OperationName}`);
  const ofClients = latestBy(
    used.filter(({ Version, ObjectId }) => Version !== '' && ObjectId !== ''),
    ({ ObjectId }) => ObjectId,
  );
  const last = latestBy(ofClients, ({ Version }) => Version).map((row): UsageRow => ({ ...row, Kind: 'last' }));

  return [...newest, ...last, ...coverage(entries), ...silences(entries, query.silentHours)];
}

function usesOf(entries: readonly VaultLogEntry[], query: UsageQuery): UsageRow[] {
  return entries.flatMap((entry) => {
    if (entry.keyName?.toLowerCase() !== query.key || !query.operations.includes(entry.operation)) return [];
    const { version: Version = '', operation: OperationName, objectId: ObjectId = '', appId: AppId = '', toMs } = entry;
    return { ...row('use', toMs, toMs), Version, OperationName, ObjectId, AppId };
  });
}

/** The latest row of each group. */
function latestBy(rows: readonly UsageRow[], groupOf: (row: UsageRow) => string): UsageRow[] {
  const last = new Map<string, UsageRow>();
  for (const row of rows) {
    const before = last.get(groupOf(row));
    if (!before || before.Until <= row.Until) last.set(groupOf(row), row);
  }
  return [...last.values()];
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
  };
}
