import pMap from 'p-map';
import { describe, describeFailure } from '../azure/failure.ts';
import type { ManagedKey, ManagedVaults } from '../keys/managed-vaults.ts';
import type { KnownOrders } from '../orders/known-orders.ts';
import { openPauses, type PauseOrder } from '../orders/standing-orders.ts';
import { DAY_MS } from '../time/spans.ts';
import { type ReadRotationPorts, readRotation } from './read-rotation.ts';
import { type RotationView, viewRotation } from './rotation-view.ts';

/** A rotation that was looked at so long ago is of no interest any more. Milliseconds. */
const LATELY_MS = 7 * DAY_MS;
/** Keys of one page, and keys that are read at the same time. */
const PAGE = 50;
const CONCURRENCY = 8;

export type ListPorts = ReadRotationPorts & {
  readonly settings: ReadRotationPorts['settings'] & { readonly vaults: Pick<ManagedVaults, 'key'> };
  readonly control: KnownOrders;
};

/** A key whose rotation could not be read now. */
export interface UnreadRotation {
  readonly key: string;
  readonly state: 'unknown';
  readonly detail: string;
}

export interface RotationList {
  readonly value: readonly (RotationView | UnreadRotation)[];
  /** Every pause that stands now: one may keep from beginning what is not listed yet. */
  readonly pauses: readonly PauseOrder[];
  /** Where the next page begins; absent: this was the last. */
  readonly next?: string;
}

/**
 * The keys with a rotation under way, or finished lately. Which keys those are is noted by whoever looks at a key; how they
 * stand is computed.
 *
 * @throws what the index answers
 */
export async function listRotations(after: string | undefined, ports: ListPorts): Promise<RotationList> {
  const { rotationNotes, settings, now } = ports;
  const keys: ManagedKey[] = [];
  let next: string | undefined;
  let last = '';
  for await (const { note, place } of rotationNotes.all(after)) {
    const key = settings.vaults.key(note.key);
    if (!key || now().getTime() - Date.parse(note.lookedOn ?? '') > LATELY_MS) continue;
    if (keys.length === PAGE) {
      next = last;
      break;
    }
    keys.push(key);
    last = place;
  }
  const { fleet } = ports;
  let listings: ReturnType<typeof fleet.listings> | undefined;
  // Once for all of them.
  const listed = (): ReturnType<typeof fleet.listings> => {
    listings ??= fleet.listings();
    return listings;
  };
  const once: ListPorts = { ...ports, fleet: { uses: (...of) => fleet.uses(...of), listings: listed } };
  const value = await pMap(keys, (key) => viewOf(key, once), { concurrency: CONCURRENCY });
  return { value, pauses: openPauses(ports.control.state, now()), ...(next ? { next } : {}) };
}

async function viewOf(key: ManagedKey, ports: ListPorts): Promise<RotationView | UnreadRotation> {
  try {
    return viewRotation(key, await readRotation(key, ports), ports.control.pauseNow(key.id));
  } catch (error) {
    return { key: key.id, state: 'unknown', detail: describe(describeFailure(error)) };
  }
}
