import type { TokenCredential } from '@azure/identity';
import { LogsQueryClient, LogsQueryResultStatus, type LogsTable } from '@azure/monitor-query-logs';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { untilAborted } from '../azure/deadline.ts';
import { callOptions, LIMITS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';
import type { ManagedKey } from './managed-vaults.ts';

/** What a client requested of a version; a refused request counts, since the client still uses the version. */
type KeyOperation = 'wrap' | 'unwrap' | 'other';

/** The last request of one kind for one version. */
export interface LoggedUse {
  /** Lower case; undefined: the request named none, so that it may have been for any. */
  readonly version: string | undefined;
  readonly operation: KeyOperation;
  readonly lastOn: Date;
  /** Who made it; undefined where the log does not say. */
  readonly objectId: string | undefined;
  readonly appId: string | undefined;
}

/** Nothing was logged of the whole vault in between: no client used it, or its log was off. */
interface Silence {
  readonly from: Date;
  readonly to: Date;
}

/** What Key Vault's own log says of a key. */
export interface UsageLog {
  readonly uses: readonly LoggedUse[];
  /** The earliest entry of the vault; undefined: there is none. */
  readonly trackedSince: Date | undefined;
  /** The latest entry of the vault. */
  readonly trackedUntil: Date | undefined;
  /** Of {@link SILENT_HOURS} or more, to the hour; the latest ones. */
  readonly silences: readonly Silence[];
}

/** The app asks each vault something every hour, unless it is told to look more seldom. */
const SILENT_HOURS = 3;

/** As far back as a workspace keeps what can be queried (Azure Monitor, "data retention"). */
const BACK = 'P730D';
/** How long the service itself may work on a query, less than we wait. Seconds. */
const SERVER_SECONDS = 50;

const NEXT_STEP = 'See whether the workspace takes the audit log of the vault, and run the query by hand.';
const text = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
const time = z.union([z.string(), z.date()]).pipe(z.coerce.date());
const ROW = z.object({
  Kind: z.enum(['use', 'log', 'silence']),
  Version: text,
  OperationName: text,
  Since: time,
  Until: time,
  ObjectId: text,
  AppId: text,
});

export interface KeyUsageLog {
  /**
   * What the log has of a key.
   *
   * @throws the SDK's error; a {@link CmkError} `UsageLogUnreadable` when the answer is not whole, or nothing is to be had, as of
   *   a Managed HSM: Microsoft does not document how its log names a wrap or an unwrap
   */
  read(key: ManagedKey, signal?: AbortSignal): Promise<UsageLog>;
}

/** @param workspace customer id of the Log Analytics workspace; undefined: there is none, and every read says so */
export function createKeyUsageLog(
  credential: TokenCredential,
  cloud: Cloud,
  workspace: string | undefined,
): KeyUsageLog {
  const logs = new LogsQueryClient(credential, {
    ...callOptions(LIMITS.logAnalytics),
    endpoint: `${cloud.logAnalytics}/v1`,
    credentials: { scopes: [`${cloud.logAnalytics}/.default`] },
  });
  return {
    async read(key, signal) {
      if (key.vault.kind === 'managedHsm') {
        const why = 'Microsoft does not document how the log of a Managed HSM names a use of a key.';
        throw new CmkError('UsageLogUnreadable', why, 'Find out by other means who uses it.');
      }
      if (workspace === undefined) {
        const nextStep = 'Send the audit log of the vaults to a Log Analytics workspace, and name it.';
        throw new CmkError('UsageLogUnreadable', 'CMK_USAGE_WORKSPACE is not set.', nextStep);
      }
      const options = { serverTimeoutInSeconds: SERVER_SECONDS };
      const asking = logs.queryWorkspace(workspace, usageQuery(key), { duration: BACK }, options);
      // The SDK drops a signal that it is given; the request ends by its own deadline.
      if (!(await untilAborted(asking, signal))) {
        throw new CmkError('UsageLogUnreadable', 'The log did not answer in time.', NEXT_STEP);
      }
      const answer = await asking;
      if (answer.status !== LogsQueryResultStatus.Success) {
        const { code } = answer.partialError;
        throw new CmkError('UsageLogUnreadable', `The answer of the log was cut short (${code}).`, NEXT_STEP);
      }
      return toUsage(answer.tables[0]);
    },
  };
}

function toUsage(table: LogsTable | undefined): UsageLog {
  const names = table?.columnDescriptors.map(({ name }) => name ?? '') ?? [];
  const read = z
    .array(ROW)
    .safeParse(table?.rows.map((row) => Object.fromEntries(row.map((cell, index) => [names[index] ?? '', cell]))));
  if (!read.success) throw new CmkError('UsageLogUnreadable', 'The answer of the log is not as expected.', NEXT_STEP);
  const of = (kind: string) => read.data.filter(({ Kind }) => Kind === kind);
  const [log] = of('log');
  return {
    uses: of('use').map(
      ({ Version, OperationName, Until, ObjectId, AppId }): LoggedUse => ({
        version: Version?.toLowerCase(),
        operation: operationNamed(OperationName),
        lastOn: Until,
        objectId: ObjectId,
        appId: AppId,
      }),
    ),
    trackedSince: log?.Since,
    trackedUntil: log?.Until,
    silences: of('silence').map(({ Since, Until }) => ({ from: Since, to: Until })),
  };
}

function operationNamed(name: string | undefined): KeyOperation {
  return name === 'KeyWrap' ? 'wrap' : name === 'KeyUnwrap' ? 'unwrap' : 'other';
}

/** Key Vault's names of what is done with key material (Key Vault, "logging", operation names). */
const OPERATIONS = ['KeyWrap', 'KeyUnwrap', 'KeyEncrypt', 'KeyDecrypt', 'KeySign', 'KeyVerify'];
/** Most gaps of the log that are named. */
const MOST_SILENCES = 100;
/** What a vault's and a key's name are made of, as Key Vault has it: nothing that means something in a query. */
const NAME = /^[0-9A-Za-z-]{1,127}$/;

/** A vault's entry names the operation, and the key and its version in the identifier or in the address. */
const IDENTIFIER = '@"/keys/([^/?]+)(?:/([0-9a-f]{32}))?"';

/**
 * The query for one key. The log comes in two forms: `AzureDiagnostics`, whose columns are there only once something was
 * written to them, and `AZKVAuditLogs`. A table that is not there counts as empty.
 *
 * @throws TypeError for a name that Key Vault would not take
 */
export function usageQuery({ vault, name }: ManagedKey): string {
  if (!NAME.test(vault.name) || !NAME.test(name)) throw new TypeError('This is no name of a vault or a key.');
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
union
  (entries
  | where OperationName in (${OPERATIONS.map((one) => `"${one}"`).join(', ')})
  | extend Id = tolower(Id), Uri = tolower(Uri)
  | where coalesce(extract(${IDENTIFIER}, 1, Id), extract(${IDENTIFIER}, 1, Uri)) == key
  | extend Version = coalesce(extract(${IDENTIFIER}, 2, Id), extract(${IDENTIFIER}, 2, Uri))
  | summarize arg_max(TimeGenerated, ObjectId, AppId) by Version, OperationName
  | project Kind = "use", Version, OperationName, Since = TimeGenerated, Until = TimeGenerated, ObjectId, AppId),
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
