import type { TokenCredential } from '@azure/identity';
import { LogsQueryClient, LogsQueryResultStatus, type LogsTable } from '@azure/monitor-query-logs';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { untilAborted } from '../azure/deadline.ts';
import { callOptions, LIMITS } from '../azure/limits.ts';
import { CmkError } from '../errors.ts';
import { askedOfHsmKey, operationNamed } from './hsm-log-entry.ts';
import type { ManagedKey } from './managed-vaults.ts';
import type { LoggedUse, UsageLog } from './usage-log.ts';
import { usageQuery } from './usage-log-query.ts';

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
  Path: text,
});

export interface KeyUsageLog {
  /**
   * What the log has of a key.
   *
   * @throws the SDK's error; a {@link CmkError} `UsageLogUnreadable` when the answer is not whole, or nothing is to be had
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
      return toUsage(answer.tables[0], key.vault.kind);
    },
  };
}

function toUsage(table: LogsTable | undefined, kind: ManagedKey['vault']['kind']): UsageLog {
  const names = table?.columnDescriptors.map(({ name }) => name ?? '') ?? [];
  const read = z
    .array(ROW)
    .safeParse(table?.rows.map((row) => Object.fromEntries(row.map((cell, index) => [names[index] ?? '', cell]))));
  if (!read.success) throw new CmkError('UsageLogUnreadable', 'The answer of the log is not as expected.', NEXT_STEP);
  const of = (kind: string) => read.data.filter(({ Kind }) => Kind === kind);
  const [log] = of('log');
  return {
    uses: of('use').flatMap(({ Version, OperationName, Until, ObjectId, AppId, Path }): LoggedUse[] => {
      const asked =
        kind === 'vault'
          ? { version: Version?.toLowerCase(), operation: operationNamed(OperationName) }
          : askedOfHsmKey(Path, OperationName);
      return asked ? [{ ...asked, lastOn: Until, objectId: ObjectId, appId: AppId }] : [];
    }),
    trackedSince: log?.Since,
    trackedUntil: log?.Until,
    silences: of('silence').map(({ Since, Until }) => ({ from: Since, to: Until })),
    formUnsure: kind === 'managedHsm',
  };
}
