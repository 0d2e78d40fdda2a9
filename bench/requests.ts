import type { LocalAzure } from '../local/azure/server.ts';
import type { LoggedRequest } from '../local/azure/wire/request-log.ts';

/**
 * What an operation of the app's own storage costs, in US dollars for 10,000: an assumption to be checked (a European
 * region, zone-redundant, hot; the calculator has yours), the same as in docs/how-to/deploy-azd.md. Taking messages is left out with the looks that find none.
 */
const PRICES = { queue: 0.004, table: 0.0005, blobWrite: 0.07, blobRead: 0.005 } as const;

export interface Requests {
  /** To Azure; sign-ins and the app's own storage apart. */
  readonly azure: number;
  /** To the Storage resource provider and Azure Resource Manager: reads and writes of one thing, and lists. */
  readonly reads: number;
  readonly writes: number;
  readonly scopeLists: number;
  readonly accountLists: number;
  readonly keyVault: number;
  readonly throttled: number;
  /** Of the app's own storage, and what they cost in US dollars. Looks into empty queues are left out. */
  readonly storage: number;
  readonly storageCost: number;
}

/** Counts while it goes on: the logs do not keep everything. */
export function countRequests(azure: LocalAzure): {
  begin(): void;
  look(): void;
  since(seq: number, before?: string): Requests;
} {
  let last = 0;
  let storage = 0;
  let cost = 0;
  const look = (): void => {
    for (const entry of azure.storageRequests.since(last)) {
      last = entry.seq;
      if (isIdleLook(entry)) continue;
      storage += 1;
      cost += priceOf(entry) / 10_000;
    }
  };

  return {
    begin() {
      last = azure.storageRequests.last;
      [storage, cost] = [0, 0];
    },
    look,
    since(seq, before) {
      look();

      const isCounted = ({ host, time }: LoggedRequest) =>
        (before === undefined || time < before) && !/login|imds|169\.254/.test(host);
      const all = azure.requests.since(seq).filter(isCounted);
      const arm = all.filter(({ host }) => host === 'management.azure.com');
      const about = (method: string, path: RegExp) =>
        arm.filter((one) => one.method === method && path.test(one.path)).length;

      return {
        azure: all.length,
        reads: about('GET', /\/storageAccounts\/[^/?]+(?:\/encryptionScopes\/[^/?]+)?\?/i),
        writes: about('PATCH', /\/storageAccounts\//i),
        scopeLists: about('GET', /\/encryptionScopes\?/i),
        accountLists: about('GET', /\/providers\/Microsoft\.Storage\/storageAccounts\?/i),
        keyVault: all.filter(({ host }) => host.endsWith('.vault.azure.net')).length,
        throttled: all.filter(({ status }) => status === 429).length,
        storage,
        storageCost: cost,
      };
    },
  };
}

/** The host looks into its queues whether or not there is work. */
function isIdleLook({ method, host, path }: LoggedRequest): boolean {
  return method === 'GET' && host.includes('.queue.') && /\/messages\?/.test(path);
}

function priceOf({ host, method }: LoggedRequest): number {
  if (host.includes('.queue.')) return PRICES.queue;
  if (host.includes('.table.')) return PRICES.table;
  return method === 'GET' || method === 'HEAD' ? PRICES.blobRead : PRICES.blobWrite;
}
