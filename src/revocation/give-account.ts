import { errorText } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  accountRevokers,
  openOfPart,
  readAccountRevocations,
  samePart,
  type Taken,
  tagsOfRecord,
  takenId,
} from './account-record.ts';
import { failureOf, type TakenFailure, takeAll } from './take-account.ts';

/** How a restore of an account's access ended. */
export type GivingEnd = 'restored' | 'nothing' | 'otherRevocation' | 'secondPerson' | 'overtaken' | 'incomplete';

export interface AccountGiving {
  readonly end: GivingEnd;
  /** The one that was restored, or that is open in its place. */
  readonly revocation: AccountRevocation | undefined;
  /** Whether anything was written. */
  readonly changed: boolean;
  readonly given: readonly Taken[];
  readonly failures: readonly TakenFailure[];
  readonly unproven?: string;
}

export interface GivingRequest {
  readonly revocation: string;
  readonly restoredBy: string;
  readonly dualControl: boolean;
}

const NOTHING = { changed: false, given: [], failures: [] };

/** What a restore would be refused with, by what is open; undefined: it may begin. */
export function refusedGiving(
  { open }: { readonly open: readonly AccountRevocation[] },
  { revocation: id, restoredBy, dualControl }: GivingRequest,
): { readonly end: GivingEnd; readonly revocation: AccountRevocation | undefined } | undefined {
  const named = open.find((one) => one.id === id);
  const ofPart = named ? open.filter(({ part }) => samePart(part, named.part)) : open;
  const [newest] = ofPart;
  if (!newest) return { end: 'nothing', revocation: undefined };
  if (newest.id !== id) return { end: 'otherRevocation', revocation: newest };
  const isRevoker = accountRevokers(ofPart).includes(restoredBy.toLowerCase());
  return dualControl && isRevoker ? { end: 'secondPerson', revocation: newest } : undefined;
}

/**
 * Gives back exactly what the named revocation took away, and nothing else, by a second person. A revocation that began
 * later wins: what was given is taken away again, and its record stands. The record goes last, so that a restore that is
 * broken off can be repeated.
 *
 * @param part what the named revocation is of
 * @throws the SDK's error when the account cannot be read: nothing was changed
 */
export async function giveAccount(
  part: AccountPart,
  request: GivingRequest,
  ports: AccountPorts,
): Promise<AccountGiving> {
  const before = await ports.tags.read(part.account);
  const reading = readAccountRevocations(before, ports.now());
  const refused = refusedGiving(reading, request);
  if (refused) return { ...NOTHING, ...refused };
  const revocation = reading.open.find(({ id }) => id === request.revocation) as AccountRevocation;
  const closed = openOfPart(before, revocation.part, ports.now());
  return new Giving(part, revocation, closed, ports).run();
}

class Giving {
  readonly #part: AccountPart;
  readonly #revocation: AccountRevocation;
  /** All that are closed by it: the one that is restored, and those that it has joined. */
  readonly #closed: readonly AccountRevocation[];
  readonly #ports: AccountPorts;
  readonly #given: Taken[] = [];
  readonly #failures = new Map<string, TakenFailure>();

  constructor(
    part: AccountPart,
    revocation: AccountRevocation,
    closed: readonly AccountRevocation[],
    ports: AccountPorts,
  ) {
    this.#part = part;
    this.#revocation = revocation;
    this.#closed = closed;
    this.#ports = ports;
  }

  async run(): Promise<AccountGiving> {
    // One that was written at the same time may lack what the one before took.
    const all = new Map(this.#closed.flatMap(({ took }) => took).map((one) => [takenId(one), one]));
    await Promise.all([...all.values()].map((one) => this.#give(one)));
    try {
      const overtaken = await this.#overtaken();
      if (overtaken) return await this.#takeBack(overtaken);
      if (this.#failures.size > 0) return this.#result('incomplete');
      const tags = await this.#ports.tags.read(this.#part.account);
      const records = Object.assign({}, ...this.#closed.map(({ id }) => tagsOfRecord(tags, id)));
      await twice(() => this.#ports.tags.remove(this.#part.account, records), this.#ports.sleep);
      const newer = await this.#overtaken();
      if (newer) return await this.#takeBack(newer);
      const left = openOfPart(await this.#ports.tags.read(this.#part.account), this.#part.part, this.#ports.now());
      return left.length === 0 ? this.#result('restored') : this.#result('incomplete', 'The record still stands.');
    } catch (error) {
      return this.#result('incomplete', errorText(error));
    }
  }

  async #give(taken: Taken): Promise<void> {
    const { sleep } = this.#ports;
    try {
      if (await twice(() => this.#part.isHeld(taken), sleep)) return;
      await twice(() => this.#part.give(taken), sleep);
      if (!(await twice(() => this.#part.isHeld(taken), sleep))) throw new Error('A fresh read does not show it.');
      this.#given.push(taken);
    } catch (error) {
      this.#failures.set(takenId(taken), failureOf(taken, error));
    }
  }

  /** One that was not open when this began has begun later, whatever its clock says. */
  async #overtaken(): Promise<AccountRevocation | undefined> {
    const tags = await this.#ports.tags.read(this.#part.account);
    const open = openOfPart(tags, this.#part.part, this.#ports.now());
    return open.find((one) => !this.#closed.some(({ id }) => id === one.id));
  }

  /**
   * What the newer revocation has in its record it keeps: it may have looked before this had given it back. What it has not,
   * it has yet to see, and to write down before it takes it.
   */
  async #takeBack(newer: AccountRevocation): Promise<AccountGiving> {
    const failures = new Map<string, TakenFailure>();
    const recorded = new Set(newer.took.map(takenId));
    const back = this.#closed.flatMap(({ took }) => took).filter((one) => recorded.has(takenId(one)));
    await takeAll(this.#part, back, failures, this.#ports);
    return {
      end: 'overtaken',
      revocation: newer,
      changed: this.#given.length > 0,
      given: [],
      failures: [...failures.values()],
    };
  }

  #result(end: GivingEnd, unproven?: string): AccountGiving {
    return {
      end,
      revocation: this.#revocation,
      changed: true,
      given: this.#given,
      failures: [...this.#failures.values()],
      ...(unproven === undefined ? {} : { unproven }),
    };
  }
}
