import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from '../azure/cloud.ts';
import { createJsonSender } from '../azure/json-sender.ts';
import type { CallLimits } from '../azure/limits.ts';

/** A principal that may change an app registration or its service principal, and so grant its roles. */
interface RegistrationOwner {
  readonly objectId: string;
  readonly name: string;
  readonly of: 'registration' | 'service principal';
}

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
 * Lists the owners of an app registration and of its service principal, at most 100 of each. Uses the operator's
 * sign-in: the app has no right in Microsoft Graph.
 *
 * @param clientId a GUID
 * @throws an error that `describeFailure` reads
 */
type RegistrationOwners = (clientId: string) => Promise<RegistrationOwner[]>;

export function createRegistrationOwners(
  credential: TokenCredential,
  cloud: Cloud,
  limits: CallLimits,
): RegistrationOwners {
  const send = createJsonSender(credential, `${cloud.microsoftGraph}/.default`, limits);
  return async (clientId) => {
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
