import { describe, describeFailure, type Failure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { signInTrouble } from '../operations/sign-in.ts';
import type { Reason } from '../reasons.ts';

interface AppStoragePlace {
  /** `queue key-work-poison`. */
  readonly what: string;
  /** URL of the service that it is in. */
  readonly url: string;
  /** Built-in role that lets a person do what is done there. */
  readonly role: string;
}

/**
 * Does something in the app's own storage, which the environment names: a failure there names the place, as its
 * name may be what is wrong.
 *
 * @throws {@link CmkError} `ServiceUnavailable`, `NotFound` or `MissingPermission`; every other error as it is
 */
export async function inAppStorage<T>(place: AppStoragePlace, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toCmkError(place, describeFailure(error), error) ?? error;
  }
}

function toCmkError({ what, url, role }: AppStoragePlace, failure: Failure, cause: unknown): CmkError | undefined {
  const settings = 'AzureWebJobsStorage__accountName, or CMK_WORK__queueServiceUri and its like for the work zone,';
  const known: Partial<Record<Failure['kind'], readonly [Reason, message: string, nextStep: string]>> = {
    unavailable: [
      'ServiceUnavailable',
      `The app's storage does not answer at ${url}: ${describe(failure)}`,
      `Check ${settings} and the network, and run it again: what is done stays done.`,
    ],
    notFound: ['NotFound', `There is no ${what} in ${url}.`, `Is it the app's storage account? ${settings} names it.`],
    forbidden: [
      'MissingPermission',
      `The ${what} in ${url} may not be used: ${describe(failure)}`,
      `With a connection string, check its key; else ask for ${role} on the app's storage account, and whether its firewall lets this network in.`,
    ],
  };
  const explanation = signInTrouble(cause) ? undefined : known[failure.kind];
  return explanation && new CmkError(...explanation, { cause });
}
