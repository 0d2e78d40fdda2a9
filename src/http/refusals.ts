import type { Log } from '../log.ts';
import { REASONS } from '../reasons.ts';

/** What of a refused call is logged, as far as it decides how. */
export interface Refusal {
  readonly call: string;
  /** Reason code. */
  readonly because: string;
  readonly status: number;
  /** Object id; undefined: nobody knows who it was. */
  readonly caller?: unknown;
  readonly kind?: unknown;
  readonly client?: unknown;
  /** With or without a port. */
  readonly address?: string | undefined;
  readonly key?: string | undefined;
  readonly correlationId: string;
}

/** So many refusals of one caller or address, by one call and for one reason, have a line of their own each minute. */
export const SINGLY_A_MINUTE = 10;
const MINUTE_MS = 60_000;
/** What is told apart in a minute: of callers who are known, of whom a tenant has so many, and of all the addresses there are. */
const MOST_GROUPS = { known: 5_000, unknown: 90 };
/** Addresses and keys that a line names. */
const MOST_NAMED = 20;
/** The same where Azure kept calls from being done, and each may have begun something: as many as may be revoked at once. */
const MOST_UNDONE = 100;

interface Group {
  readonly about: Omit<Refusal, 'address' | 'key' | 'correlationId'>;
  singly: number;
  calls: number;
  readonly addresses: Set<string>;
  readonly keys: Set<string>;
  first: string | undefined;
  last: string | undefined;
}

/**
 * Keeps a flood of refused calls from filling the log: the first ones have their own lines, the others are counted in one line
 * a minute. A caller's flood takes nothing from another caller's lines, and one for one reason nothing from those for another.
 * Nor does a known caller's over one key hide another key: alert rules tell keys apart, and read lines of single calls alone.
 */
export class Refusals {
  readonly #log: Log;
  #groups = new Map<string, Group>();
  #numbers = { known: 0, unknown: 0 };
  #timer: NodeJS.Timeout | undefined;

  /** @param log for the lines that count: the calls that they are about have ended by then */
  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether this one has a line of its own; if not, it is counted. */
  isSingle(refusal: Refusal): boolean {
    this.#timer ??= setTimeout(() => this.flush(), MINUTE_MS).unref();
    const group = this.#groupOf(refusal);
    const most = refusal.status < 500 ? MOST_NAMED : MOST_UNDONE;
    const isNewKey = addTo(group.keys, refusal.key, most);
    if (group.singly < SINGLY_A_MINUTE || (refusal.caller !== undefined && isNewKey)) {
      group.singly += 1;
      return true;
    }
    group.calls += 1;
    group.first ??= refusal.correlationId;
    group.last = refusal.correlationId;
    addTo(group.addresses, withoutPort(refusal.address), MOST_NAMED);
    return false;
  }

  /** Writes what was counted until now, and begins anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const groups = this.#groups;
    this.#groups = new Map();
    this.#numbers = { known: 0, unknown: 0 };
    for (const { about, calls, addresses, keys, first, last } of groups.values()) {
      if (calls === 0) continue;
      const named = { addresses: [...addresses], keys: [...keys] };
      const counted = { calls, ...named, first, last };
      this.#log({ level: 'warning', reason: 'CallsRefused', message: REASONS.CallsRefused, ...about, ...counted });
    }
  }

  #groupOf({ call, because, status, caller, kind, client, address }: Refusal): Group {
    const side = caller === undefined ? 'unknown' : 'known';
    const name = JSON.stringify([side, caller ?? withoutPort(address), call, because]);
    const isToldApart = this.#groups.has(name) || this.#numbers[side] < MOST_GROUPS[side];
    if (!isToldApart) return this.#group(`${side} others ${because}`, { call: 'any', because, status });
    if (!this.#groups.has(name)) this.#numbers[side] += 1;
    return this.#group(name, { call, because, status, caller, kind, client });
  }

  #group(name: string, about: Group['about']): Group {
    const named = { addresses: new Set<string>(), keys: new Set<string>() };
    const group = this.#groups.get(name) ?? { about, singly: 0, calls: 0, ...named, first: undefined, last: undefined };
    this.#groups.set(name, group);
    return group;
  }
}

/** Whether it was not there before, and is now. */
function addTo(names: Set<string>, name: string | undefined, most: number): boolean {
  if (name === undefined || names.size >= most || names.has(name)) return false;
  names.add(name);
  return true;
}

/** Each connection has a port of its own. */
function withoutPort(address: string | undefined): string | undefined {
  return /^\[(.*)\](?::\d+)?$/.exec(address ?? '')?.[1] ?? address?.replace(/^([\d.]+):\d+$/, '$1');
}
