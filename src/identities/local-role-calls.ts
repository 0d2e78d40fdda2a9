import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { unlessMissing } from '../azure/failure.ts';
import type { createJsonSender } from '../azure/json-sender.ts';
import type { ManagedVault } from '../keys/managed-vaults.ts';

type Hsm = Pick<ManagedVault, 'uri'>;
type Send = ReturnType<typeof createJsonSender>;

interface ListOptions {
  /** What there are lists of at a scope may not be there. */
  readonly mayBeMissing?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface RoleCalls {
  ask(hsm: Hsm, call: Omit<Parameters<Send>[0], 'query'>): Promise<unknown>;
  /** @throws TypeError for what is not as documented */
  list<T>(hsm: Hsm, path: string, item: z.ZodType<T>, options?: ListOptions): Promise<T[]>;
}

/** Of the data plane, as the REST reference of these operations has it. */
const VERSION = { 'api-version': '7.4' };
/** More than an HSM may have: 50 assignments at the HSM and 10 at a key, 50 custom definitions (Managed HSM, service limits). */
const MOST_PAGES = 20;

const PAGE = z.object({ value: z.array(z.unknown()), nextLink: z.string().nullish() });

/**
 * Interval between calls about roles: a Managed HSM answers five a second for all callers together (service limits).
 * Milliseconds.
 */
const APART_MS = 250;

/** Calls about the roles of Managed HSMs, each in its turn, and whole lists, page by page. */
export function createRoleCalls(send: Send): RoleCalls {
  const due = new Map<string, number>();
  const turn = async (uri: string): Promise<void> => {
    const nowMs = performance.now();
    const atMs = Math.max(nowMs, due.get(uri) ?? 0);
    due.set(uri, atMs + APART_MS);
    if (atMs > nowMs) await sleep(atMs - nowMs);
  };
  const ask: RoleCalls['ask'] = async ({ uri }, call) => {
    await turn(uri);
    return send({ ...call, query: VERSION });
  };
  const list: RoleCalls['list'] = async <T>(
    hsm: Hsm,
    path: string,
    item: z.ZodType<T>,
    { mayBeMissing = false, signal }: ListOptions = {},
  ): Promise<T[]> => {
    const found: T[] = [];
    const documented = <D>(type: z.ZodType<D>, answer: unknown): D => {
      const { data, success } = type.safeParse(answer);
      if (!success) throw new TypeError(`The list of ${path} is not as documented.`);
      return data;
    };
    // The path of `/` begins with three slashes, as the SDKs write it.
    let url = `${hsm.uri}/${path}`;
    for (let pages = 1; ; pages += 1) {
      const asking = () => ask(hsm, { method: 'GET', url, ...(signal ? { signal } : {}) });
      // A list that has begun is there.
      const page = mayBeMissing && pages === 1 ? await unlessMissing(asking) : await asking();
      if (page === undefined) return [];
      const { value, nextLink } = documented(PAGE, page);
      found.push(...documented(z.array(item), value));
      if (!nextLink) return found;
      // The token goes where the first page came from, and nowhere else.
      if (new URL(nextLink, url).origin !== new URL(hsm.uri).origin || pages >= MOST_PAGES) {
        throw new TypeError(`The list of ${path} goes on at ${nextLink}, which leads nowhere.`);
      }
      url = new URL(nextLink, url).href;
    }
  };
  return { ask, list };
}
