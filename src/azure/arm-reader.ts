import type { TokenCredential } from '@azure/identity';
import { z } from 'zod';
import type { Cloud } from './cloud.ts';
import { createJsonSender } from './json-sender.ts';
import type { CallLimits } from './limits.ts';

/**
 * Reads a document of Azure Resource Manager, which saves an SDK package for a single call.
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
/** More than any list that the app reads: Azure allows, for instance, 1,000 policy exemptions per scope. */
const MOST_PAGES = 100;

/**
 * Reads every page of a list of Azure Resource Manager; an empty page may have a next page.
 *
 * @throws an error that `describeFailure` reads; TypeError for an endless list
 */
type ArmLister = (path: string, query: Readonly<Record<string, string>>, signal?: AbortSignal) => Promise<unknown[]>;

export function createArmLister(credential: TokenCredential, cloud: Cloud, limits: CallLimits): ArmLister {
  return listing(createArmReader(credential, cloud, limits));
}

/** Reads every page of a list, of any service whose pages look as those of Azure Resource Manager. */
export function listing(read: ArmReader): ArmLister {
  return async (path, query, signal) => {
    const found: unknown[] = [];
    let next: Readonly<Record<string, string>> | undefined = query;
    for (let pages = 0; next && pages < MOST_PAGES; pages++) {
      const { value, nextLink } = PAGE.parse(await read(path, next, signal));
      found.push(...value);
      // Uses only the query of the link, so no answer can redirect the token to another host.
      next = nextLink ? Object.fromEntries(new URL(nextLink).searchParams) : undefined;
    }
    if (next) throw new TypeError(`Azure answered with more than ${MOST_PAGES} pages.`);
    return found;
  };
}
