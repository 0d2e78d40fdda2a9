import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import type { DriftReport } from '../drift/report.ts';
import { orUnavailable } from '../http/problem.ts';
import { type EvaluatedAccount, evaluateFleet } from './fleet.ts';
import { type FleetPorts, readFleet } from './read-fleet.ts';

/** Time to live: concurrent calls, and the pages of a list, share one reading. Milliseconds. */
const TTL_MS = 15_000;

export interface FleetSnapshot {
  readonly readOn: Date;
  readonly accounts: readonly EvaluatedAccount[];
  readonly listings: ReadonlyMap<string, Date>;
  /** Subscriptions in sight that were never listed: their accounts are missing. */
  readonly unlisted: number;
  readonly report: Pick<DriftReport, 'id' | 'startedOn' | 'complete'> | undefined;
  readonly warnings: readonly string[];
}

/** A cache of the fleet: reading five thousand accounts takes seconds. */
export class FleetSnapshots {
  readonly #cache = new ReadCache<FleetSnapshot>(TTL_MS);

  /** @throws {@link HttpProblem} 503 */
  async get(ports: FleetPorts): Promise<FleetSnapshot> {
    return (await this.#cache.read('', () => takeSnapshot(ports), ports.now)).value;
  }

  take(ports: FleetPorts, waitMs: number): Promise<PartTaken<FleetSnapshot>> {
    return this.#cache.take('', () => takeSnapshot(ports), waitMs, ports.now);
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await orUnavailable(
    () => readFleet(ports),
    (why) => `The fleet index cannot be read: ${why} Accounts are moved all the same.`,
  );
  const { readOn, listings, unlisted, report, warnings } = reading;
  return { readOn, accounts: await evaluateFleet(reading, ports.settings), listings, unlisted, report, warnings };
}
