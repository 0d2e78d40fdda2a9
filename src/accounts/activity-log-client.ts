import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { createArmLister } from '../azure/arm-reader.ts';
import type { Cloud } from '../azure/cloud.ts';
import { LIMITS } from '../azure/limits.ts';

/** What was done to resources, as the activity log of their subscription has it. Errors are read with `describeFailure`. */
export interface ActivityLog {
  /** What was written or deleted since. The log is some minutes behind, and goes back 90 days. @param resource ARM id */
  writes(resource: string, since: Date): Promise<readonly LoggedWrite[]>;
}

export interface LoggedWrite {
  /** `Microsoft.Storage/storageAccounts/write` */
  readonly operation: string;
  readonly on: string;
  /** Object id or sign-in name. */
  readonly caller: string | undefined;
  readonly correlationId: string | undefined;
}

/** Azure Monitor, "Activity Logs - List". */
const EVENTS = z.array(
  z.object({
    caller: z.string().nullish(),
    correlationId: z.string().nullish(),
    eventTimestamp: z.string(),
    operationName: z.object({ value: z.string() }),
  }),
);

export function createActivityLog(credential: TokenCredential, cloud: Cloud): ActivityLog {
  const list = createArmLister(credential, cloud, LIMITS.resourceManager);
  return {
    async writes(resource, since) {
      const subscription = resource.split('/').slice(0, 3).join('/');
      const path = `${subscription}/providers/Microsoft.Insights/eventtypes/management/values`;
      const $filter = `eventTimestamp ge '${since.toISOString()}' and resourceUri eq '${resource}'`;
      const $select = 'caller,correlationId,eventTimestamp,operationName';
      const query = { 'api-version': '2015-04-01', $filter, $select };
      return EVENTS.parse(await list(path, query)).map(
        ({ caller, correlationId, eventTimestamp: on, operationName: { value: operation } }) => ({
          ...{ operation, on },
          caller: caller ?? undefined,
          correlationId: correlationId ?? undefined,
        }),
      );
    },
  };
}
