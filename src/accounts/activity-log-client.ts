import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createArmLister } from '../azure/json-sender.ts';
import { LIMITS } from '../azure/limits.ts';

/** Writes and deletions from a subscription's activity log. Methods throw errors that `describeFailure` describes. */
export interface ActivityLog {
  /** Returns writes and deletions since a time. The log lags some minutes, and keeps 90 days. @param resource ARM id */
  writes(resource: string, since: Date): Promise<readonly LoggedWrite[]>;
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);

/** Azure Monitor, "Activity Logs - List". `caller`: object id or sign-in name. */
const EVENTS = z.array(
  z
    .object({
      caller: text,
      correlationId: text,
      eventTimestamp: z.string(),
      operationName: z.object({ value: z.string() }),
    })
    .transform(({ caller, correlationId, eventTimestamp: on, operationName }) => {
      return { operation: operationName.value, on, caller, correlationId };
    }),
);
/** `operation`: for instance `Microsoft.Storage/storageAccounts/write`. */
export type LoggedWrite = Readonly<z.output<typeof EVENTS>[number]>;

export function createActivityLog(credential: TokenCredential, cloud: Cloud): ActivityLog {
  const list = createArmLister(credential, cloud, LIMITS.resourceManager);

  return {
    async writes(resource, since) {
      const subscription = resource.split('/').slice(0, 3).join('/');
      const path = `${subscription}/providers/Microsoft.Insights/eventtypes/management/values`;
      const $filter = `eventTimestamp ge '${since.toISOString()}' and resourceUri eq '${resource}'`;
      const $select = 'caller,correlationId,eventTimestamp,operationName';
      return EVENTS.parse(await list(path, { 'api-version': '2015-04-01', $filter, $select }));
    },
  };
}
