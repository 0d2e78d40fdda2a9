import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { readUnlessMissing } from '../azure/failure.ts';
import { createArmPatcher, createArmReader } from '../azure/json-sender.ts';
import type { CallLimits } from '../azure/limits.ts';

const SHOWN = z.object({
  id: z.string(),
  identity: z
    .object({
      principalId: z.string().nullish(),
      userAssignedIdentities: z.record(z.string(), z.object({ principalId: z.string().nullish() })).nullish(),
    })
    .nullish(),
  properties: z.unknown(),
});

/** A resource as its provider shows it. */
export type ShownUser = z.output<typeof SHOWN>;

/** Reads and writes resources of other services that use a key. Read its errors with `describeFailure`. */
export function createFollowClient(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const read = createArmReader(credential, cloud, limits);
  const patch = createArmPatcher(credential, cloud, limits);

  return {
    /** Undefined if the resource does not exist. @param id ARM id */
    async get(id: string, apiVersion: string): Promise<ShownUser | undefined> {
      const shown = await readUnlessMissing(() => read(id, { 'api-version': apiVersion }));
      return shown === undefined ? undefined : SHOWN.parse(shown);
    },
    /** Returns once the provider has finished. */
    update: (id: string, apiVersion: string, body: object, sleep: (ms: number) => Promise<void>): Promise<void> =>
      patch(id, { 'api-version': apiVersion }, body, sleep),
  };
}
