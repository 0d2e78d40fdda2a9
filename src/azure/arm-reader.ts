import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from './cloud.ts';
import { createJsonSender } from './json-sender.ts';
import type { CallLimits } from './limits.ts';

/**
 * Reads one document of Azure Resource Manager, where an SDK for a single call would be a package more.
 *
 * @throws an error that `describeFailure` reads
 */
type ArmReader = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<unknown>;

export function createArmReader(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmReader {
  const send = createJsonSender(credential, cloud.resourceManagerScope, limits);
  return (path, query, signal) =>
    send({ method: 'GET', url: cloud.resourceManager + path, query, ...(signal ? { signal } : {}) });
}

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });
/** Above every list that is read here: Azure allows 1,000 policy exemptions at one scope, for instance. */
const MOST_PAGES = 100;

/**
 * Reads every page of a list of Azure Resource Manager: an empty page may have a next one.
 *
 * @throws an error that `describeFailure` reads; TypeError for a list that does not end
 */
type ArmLister = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<unknown[]>;

export function createArmLister(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmLister {
  const read = createArmReader(credential, cloud, limits);
  return async (path, query, signal) => {
    const found: unknown[] = [];
    let next: Readonly<Record<string, string>> | undefined = query;
    for (let pages = 0; next && pages < MOST_PAGES; pages++) {
      const { value, nextLink } = PAGE.parse(await read(path, next, signal));
      found.push(...value);
      // Only the query of the link is used, so that no answer leads the token to another host.
      next = nextLink ? Object.fromEntries(new URL(nextLink).searchParams) : undefined;
    }
    if (next) throw new TypeError(`Azure answered with more than ${MOST_PAGES} pages.`);
    return found;
  };
}
