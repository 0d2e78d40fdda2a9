import { describe, describeFailure, type Failure } from '../azure/failure.ts';
import { CmkError } from '../errors.ts';
import { signInTrouble } from '../operations/sign-in.ts';
import type { Reason } from '../reasons.ts';

interface AppStoragePlace {
  /** `queue key-work-poison`. */
  readonly what: string;
  /** URL of the storage service. */
  readonly url: string;
  /** Built-in role that the operation needs. */
  readonly role: string;
}

/**
 * Runs an operation in the app's own storage. Its errors name the storage, because the environment may name the wrong
 * account.
 *
 * @throws {@link CmkError} `ServiceUnavailable`, `NotFound` or `MissingPermission`; every other error unchanged
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
      `Check ${settings} and the network, and run it again: completed steps stay done.`,
    ],
    notFound: [
      'NotFound',
      `The ${what} does not exist in ${url}.`,
      `Check that it is the app's storage account: ${settings} names it.`,
    ],
    forbidden: [
      'MissingPermission',
      `The ${what} in ${url} rejected the access: ${describe(failure)}`,
      `With a connection string, check its key; otherwise ask for ${role} on the app's storage account, and check that its firewall allows this network.`,
    ],
  };
  const explanation = signInTrouble(cause) ? undefined : known[failure.kind];
  return explanation && new CmkError(...explanation, { cause });
}
