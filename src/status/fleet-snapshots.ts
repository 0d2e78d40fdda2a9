import { type PartTaken, ReadCache } from '../azure/read-cache.ts';
import { runOrUnavailable } from '../http/problem.ts';
import { type EvaluatedAccount, evaluateFleet } from './fleet.ts';
import { type FleetPorts, type FleetReading, readFleet } from './read-fleet.ts';

/** Time to live in milliseconds: concurrent calls, and the pages of a list, share a read. */
const TTL_MS = 15_000;

/** The fleet with the health of each account, at the time of a read. */
export interface FleetSnapshot extends Pick<FleetReading, 'readOn' | 'listings' | 'unlisted' | 'report' | 'warnings'> {
  readonly accounts: readonly EvaluatedAccount[];
}

/** Cache of the fleet, because reading five thousand accounts takes seconds. */
export class FleetSnapshots {
  readonly #cache = new ReadCache<FleetSnapshot>(TTL_MS);

  /** @throws {@link HttpProblem} 503 */
  async get(ports: FleetPorts): Promise<FleetSnapshot> {
    return (await this.#cache.read('', () => takeSnapshot(ports), ports.now)).value;
  }

  /** Returns what is available after at most `waitMs`; the read continues. Never throws. */
  take(ports: FleetPorts, waitMs: number): Promise<PartTaken<FleetSnapshot>> {
    return this.#cache.take('', () => takeSnapshot(ports), waitMs, ports.now);
  }
}

async function takeSnapshot(ports: FleetPorts): Promise<FleetSnapshot> {
  const reading = await runOrUnavailable(
    () => readFleet(ports),
    (why) => `The app could not read the fleet index: ${why} It still moves accounts.`,
  );

  const accounts = await evaluateFleet(reading);
  const { readOn, listings, unlisted, report, warnings } = reading;

  return { readOn, accounts, listings, unlisted, report, warnings };
}
