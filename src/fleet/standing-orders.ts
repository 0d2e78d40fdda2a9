import { sameKeyName } from '../keys/key-identifier.ts';

/** Moves are not made until it ends. */
export interface PauseOrder {
  /** Key identifier without a version; absent: all keys. */
  readonly key?: string;
  /** ISO 8601; absent: until an operator ends it. */
  readonly until?: string;
}

/** The uses of one key are to move to another one. */
export interface MoveOrder {
  readonly id: string;
  /** Key identifiers without a version. */
  readonly from: string;
  readonly to: string;
  /** A roll back: covers only what the order of that id moved. */
  readonly only?: string;
  readonly state: 'active' | 'paused' | 'stopped' | 'verifying' | 'done' | 'ended';
  /** So many uses may fail before it stops. */
  readonly maxFailures: number;
}

/** What operators want until they say otherwise: one document, written with its ETag. */
export interface StandingOrders {
  readonly pauses: readonly PauseOrder[];
  /** Version identifiers of rollouts that go on, whatever holds them. */
  readonly goOn: readonly string[];
  readonly moves: readonly MoveOrder[];
}

/** The pause that holds up a key; that of all keys first. */
export function findPause({ pauses }: StandingOrders, key: string, now: Date): PauseOrder | undefined {
  return pauses
    .filter(({ until }) => until === undefined || Date.parse(until) > now.getTime())
    .filter((pause) => pause.key === undefined || sameKeyName(pause.key, key))
    .sort((a, b) => Number(a.key !== undefined) - Number(b.key !== undefined))[0];
}
