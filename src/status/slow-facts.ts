import { abortAfter } from '../azure/deadline.ts';
import { ReadCache } from '../azure/read-cache.ts';
import {
  type OtherDependents,
  type OtherDependentsServices,
  readOtherDependents,
} from '../key-users/other-dependents.ts';
import type { ManagedKey } from '../keys/managed-vaults.ts';
import type { KeyUsageLog } from '../keys/usage-log-client.ts';
import { readKeyUsage, type ShownUsage } from './key-usage.ts';

/** Time to live in milliseconds: the page reads the status of a key every three seconds. */
const TTL_MS = 60_000;

/** Caches what the status of a key shows from Resource Graph and from the vault's log. Never throws. */
export class SlowFacts {
  readonly #others = new ReadCache<OtherDependents>(TTL_MS);
  readonly #usage = new ReadCache<ShownUsage>(TTL_MS);

  /** @param ms time limit in milliseconds */
  async others(key: ManagedKey, services: OtherDependentsServices, ms: number): Promise<OtherDependents> {
    const read = () => abortAfter((signal) => readOtherDependents(key, services, signal), ms);
    return (await this.#others.read(key.id.toLowerCase(), read)).value;
  }

  /**
   * @param workspace workspace of the log
   * @param ms time limit in milliseconds
   */
  async usage(
    key: ManagedKey,
    workspace: string | undefined,
    services: { readonly usageLog: KeyUsageLog },
    ms: number,
  ): Promise<ShownUsage> {
    const read = () => readKeyUsage(key, workspace, services, ms);
    return (await this.#usage.read(key.id.toLowerCase(), read)).value;
  }
}
