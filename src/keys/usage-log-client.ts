import type { TokenCredential } from '@azure/identity';
import { LogsQueryClient, LogsQueryResultStatus, type LogsTable } from '@azure/monitor-query-logs';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { untilAborted } from '../azure/deadline.ts';
import { callOptions, LIMITS } from '../azure/limits.ts';
import { CmkError } from '../errors/errors.ts';
import type { ManagedKey } from './managed-vaults.ts';

/** The last request of one kind for one version. */
export interface LoggedUse {
  /** Lower case; undefined if the request named no version and so may have used any. */
  readonly version: string | undefined;
  /** Rejected requests count, because the client still uses the version. */
  readonly operation: 'wrap' | 'unwrap' | 'other';
  readonly lastOn: Date;
  /** Object id of the client; undefined if the log does not contain it. */
  readonly objectId: string | undefined;
  readonly appId: string | undefined;
}

/** Use of a key according to Key Vault's audit log. */
export interface UsageLog {
  readonly uses: readonly LoggedUse[];
  /**
   * For each version, the latest request of a client that used it last: none of its later requests named another version.
   */
  readonly lastOfClients: readonly LoggedUse[];
  /** The vault's earliest entry; undefined if the vault has no entry. */
  readonly trackedSince: Date | undefined;
  readonly trackedUntil: Date | undefined;
  /**
   * The latest times without log entries for the whole vault, of at least {@link SILENT_HOURS} hours, rounded to the
   * hour: no client used it, or its log was off.
   */
  readonly silences: readonly { readonly from: Date; readonly to: Date }[];
}

/** By default the app calls each vault at least once per hour, which creates log entries. */
const SILENT_HOURS = 3;

/** The maximum time that a workspace retains data for queries (Azure Monitor, "data retention"). */
const BACK = 'P730D';
/** Deadline of the query in the service. It must be below the client's deadline. Seconds. */
const SERVER_SECONDS = 50;

const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const time = z.union([z.string(), z.date()]).pipe(z.coerce.date());
const ROW = z.object({
  Kind: z.enum(['use', 'last', 'log', 'silence']),
  Version: text,
  OperationName: text,
  Since: time,
  Until: time,
  ObjectId: text,
  AppId: text,
});

export type KeyUsageLog = ReturnType<typeof createKeyUsageLog>;

/** @param workspace customer id of the Log Analytics workspace; undefined: every read throws */
export function createKeyUsageLog(credential: TokenCredential, cloud: Cloud, workspace: string | undefined) {
  const logs = new LogsQueryClient(credential, {
    ...callOptions(LIMITS.logAnalytics),
    endpoint: `${cloud.logAnalytics}/v1`,
    credentials: { scopes: [`${cloud.logAnalytics}/.default`] },
  });

  return {
    /**
     * Reads the logged use of a key.
     *
     * @throws the SDK's error; a {@link CmkError} `UsageLogUnreadable` if the result is incomplete or unavailable
     */
    async read(key: ManagedKey, signal?: AbortSignal): Promise<UsageLog> {
      if (key.vault.kind === 'managedHsm') {
        const why = 'Microsoft does not document how the log of a Managed HSM names a use of a key.';
        throw unreadable(why, 'Determine by other means which clients use the key.');
      }

      if (workspace === undefined) {
        const nextStep =
          'Send the audit log of the vaults to a Log Analytics workspace, and set CMK_USAGE_WORKSPACE to the workspace.';
        throw unreadable('CMK_USAGE_WORKSPACE is not set.', nextStep);
      }

      const options = { serverTimeoutInSeconds: SERVER_SECONDS };
      const asking = logs.queryWorkspace(workspace, createUsageQuery(key), { duration: BACK }, options);

      // The SDK ignores the signal. The request ends at its own deadline.
      if (!(await untilAborted(asking, signal))) throw unreadable('The log did not respond in time.');

      const answer = await asking;
      if (answer.status !== LogsQueryResultStatus.Success) {
        throw unreadable(`The log returned a partial result (${answer.partialError.code}).`);
      }

      return toUsage(answer.tables[0]);
    },
  };
}

function unreadable(
  why: string,
  nextStep = 'Check that the workspace receives the audit log of the vault, and run the query manually.',
): CmkError {
  return new CmkError('UsageLogUnreadable', why, nextStep);
}

function toUsage(table: LogsTable | undefined): UsageLog {
  const names = table?.columnDescriptors.map(({ name }) => name ?? '') ?? [];
  const read = z
    .array(ROW)
    .safeParse(table?.rows.map((row) => Object.fromEntries(row.map((cell, index) => [names[index] ?? '', cell]))));
  if (!read.success) throw unreadable('The log returned a result in an unknown format.');

  const of = (kind: string) => read.data.filter(({ Kind }) => Kind === kind);
  const [log] = of('log');

  return {
    uses: of('use').map(toUse),
    lastOfClients: of('last').map(toUse),
    trackedSince: log?.Since,
    trackedUntil: log?.Until,
    silences: of('silence').map(({ Since, Until }) => ({ from: Since, to: Until })),
  };
}

function toUse({ Version, OperationName = '', Until, ObjectId, AppId }: z.output<typeof ROW>): LoggedUse {
  return {
    version: Version?.toLowerCase(),
    operation: NAMED_OPERATIONS.get(OperationName) ?? 'other',
    lastOn: Until,
    objectId: ObjectId,
    appId: AppId,
  };
}

const NAMED_OPERATIONS = new Map<string, LoggedUse['operation']>([
  ['KeyWrap', 'wrap'],
  ['KeyUnwrap', 'unwrap'],
]);
/** Key Vault's operation names for the use of key material (Key Vault, "logging"). */
const OPERATIONS = ['KeyWrap', 'KeyUnwrap', 'KeyEncrypt', 'KeyDecrypt', 'KeySign', 'KeyVerify'];
/** Maximum number of log gaps that the query returns. */
const MOST_SILENCES = 100;
/** Characters that Key Vault permits in names of vaults and keys. None has a meaning in a query. */
const NAME = /^[0-9A-Za-z-]{1,127}$/;

/** A log entry contains the key and its version in the identifier or in the request URI. */
const IDENTIFIER = '@"/keys/([^/?]+)(?:/([0-9a-f]{32}))?"';

/**
 * The query for one key. Azure logs to one of two tables: `AzureDiagnostics` or `AZKVAuditLogs`. Columns of
 * `AzureDiagnostics` exist only after the first write to them. A missing table counts as empty.
 *
 * @throws TypeError for a name that Key Vault does not permit
 */
export function createUsageQuery({ vault, name }: ManagedKey): string {
  if (!NAME.test(vault.name) || !NAME.test(name)) throw new TypeError('The name of the vault or the key is invalid.');
  return `let vault = "/providers/microsoft.keyvault/vaults/${vault.name.toLowerCase()}";
let key = "${name.toLowerCase()}";
let entries = union isfuzzy=true
  (AzureDiagnostics
  | where Category == "AuditEvent" and _ResourceId endswith vault
  | project TimeGenerated, OperationName, Id = tostring(column_ifexists("id_s", "")), Uri = tostring(column_ifexists("requestUri_s", "")),
    ObjectId = coalesce(tostring(column_ifexists("identity_claim_oid_g", "")), tostring(column_ifexists("identity_claim_http_schemas_microsoft_com_identity_claims_objectidentifier_g", ""))),
    AppId = tostring(column_ifexists("identity_claim_appid_g", ""))),
  (AZKVAuditLogs
  | where _ResourceId endswith vault
  | extend Claim = parse_json(tostring(Identity)).claim
  | project TimeGenerated, OperationName, Id = tostring(Id), Uri = tostring(RequestUri),
    ObjectId = coalesce(tostring(Claim.oid), tostring(Claim["http://schemas.microsoft.com/identity/claims/objectidentifier"]), tostring(Claim.http_schemas_microsoft_com_identity.claims.objectidentifier)),
    AppId = tostring(Claim.appid));
let uses = entries
  | where OperationName in (${OPERATIONS.map((one) => `"${one}"`).join(', ')})
  | extend Id = tolower(Id), Uri = tolower(Uri)
  | where coalesce(extract(${IDENTIFIER}, 1, Id), extract(${IDENTIFIER}, 1, Uri)) == key
  | extend Version = coalesce(extract(${IDENTIFIER}, 2, Id), extract(${IDENTIFIER}, 2, Uri));
union
  (uses
  | summarize arg_max(TimeGenerated, ObjectId, AppId) by Version, OperationName
  | project Kind = "use", Version, OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId),
  (uses
  | where isnotempty(ObjectId) and isnotempty(Version)
  | summarize arg_max(TimeGenerated, Version, OperationName, AppId) by ObjectId
  | summarize arg_max(TimeGenerated, OperationName, ObjectId, AppId) by Version
  | project Kind = "last", Version, OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId),
  (entries
  | summarize Since = min(TimeGenerated), Until = max(TimeGenerated)
  | where isnotnull(Since)
  | project Kind = "log", Version = "", OperationName = "", Since, Until, ObjectId = "", AppId = ""),
  (entries
  | summarize by Hour = bin(TimeGenerated, 1h)
  | order by Hour asc
  | extend Since = prev(Hour)
  | where Hour - Since > ${SILENT_HOURS}h
  | top ${MOST_SILENCES} by Hour desc
  | project Kind = "silence", Version = "", OperationName = "", Since, Until = Hour, ObjectId = "", AppId = "")`;
}
