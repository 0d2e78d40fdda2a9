import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createJsonSender } from '../azure/json-sender.ts';
import type { CallLimits } from '../azure/limits.ts';

/** Microsoft Graph, "List owners" of an application and of a service principal. */
const OWNERS = z.object({
  value: z.array(
    z.object({ id: z.string(), displayName: z.string().nullish(), userPrincipalName: z.string().nullish() }),
  ),
});

const PLACES = [
  ['applications', 'registration'],
  ['servicePrincipals', 'service principal'],
] as const;

/**
 * Lists the owners of an app registration and of its service principal, at most 100 of each: they may change it, and so
 * grant its roles. Uses the operator's sign-in: the app has no right in Microsoft Graph. Read its errors with
 * `describeFailure`.
 */
export function createRegistrationOwners(credential: TokenCredential, cloud: Cloud, limits: CallLimits) {
  const send = createJsonSender(credential, `${cloud.microsoftGraph}/.default`, limits);

  /** @param clientId a GUID */
  return async (clientId: string) => {
    const lists = await Promise.all(
      PLACES.map(async ([set, of]) => {
        const url = `${cloud.microsoftGraph}/v1.0/${set}(appId='${clientId}')/owners`;
        const { value } = OWNERS.parse(await send({ method: 'GET', url }));
        return value.map(({ id, displayName, userPrincipalName }) => ({
          objectId: id,
          name: userPrincipalName ?? displayName ?? id,
          of,
        }));
      }),
    );

    return lists.flat();
  };
}
