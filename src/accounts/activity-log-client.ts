import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import { createArmLister } from '../azure/arm-reader.ts';
import type { Cloud } from '../azure/cloud.ts';
import { LIMITS } from '../azure/limits.ts';
import type { Account } from '../fleet/account.ts';

/** Who wrote to accounts, as the activity log of their subscription has it. Errors are read with `describeFailure`. */
export interface ActivityLog {
  /**
   * Who has written an account since: object ids or sign-in names, each once, the earliest first. The log is some minutes
   * behind, and goes back 90 days.
   */
  writers(account: Account, since: Date, signal?: AbortSignal): Promise<string[]>;
}

/** Azure Monitor, "Activity Logs - List". */
const EVENTS = z.array(
  z.object({
    caller: z.string().nullish(),
    eventTimestamp: z.string(),
    operationName: z.object({ value: z.string() }),
  }),
);

export function createActivityLog(credential: TokenCredential, cloud: Cloud): ActivityLog {
  const list = createArmLister(credential, cloud, LIMITS.resourceManager);
  return {
    async writers({ id, subscriptionId }, since, signal) {
      const path = `/subscriptions/${subscriptionId}/providers/Microsoft.Insights/eventtypes/management/values`;
      const $filter = `eventTimestamp ge '${since.toISOString()}' and resourceUri eq '${id}'`;
      const query = { 'api-version': '2015-04-01', $filter, $select: 'caller,eventTimestamp,operationName' };
      const writes = EVENTS.parse(await list(path, query, signal))
        .filter(({ operationName }) => /^Microsoft\.Storage\/storageAccounts\/write$/i.test(operationName.value))
        .sort((a, b) => Date.parse(a.eventTimestamp) - Date.parse(b.eventTimestamp));
      return [...new Set(writes.flatMap(({ caller }) => caller ?? []))];
    },
  };
}
