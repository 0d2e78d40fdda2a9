import { errorText } from '../azure/failure.ts';
import { twice } from '../azure/retry-once.ts';
import type { AccountPart, AccountPorts } from './account-part.ts';
import {
  type AccountRevocation,
  type AccountRevocations,
  accountRevokers,
  allTaken,
  formatAccountRevocation,
  madeAs,
  openOfPart,
  readAccountRevocations,
  restOf,
  samePart,
  type Taken,
  tagsOfRecords,
  takenId,
} from './account-record.ts';
import { failureOf, giveOne, type TakenFailure, takeAll } from './change-access.ts';
import type { RestoreEnd, RestoreRefusal } from './restore-end.ts';
import { WAVES } from './take-account.ts';

export interface AccountGiving {
  readonly end: RestoreEnd;
  /** The one that was restored, or that is open in its place. */
  readonly revocation: AccountRevocation | undefined;
  /** All that it closes: the one that was named, and those that it has joined. */
  readonly closed: readonly AccountRevocation[];
  readonly given: readonly Taken[];
  readonly failures: readonly TakenFailure[];
  readonly unproven?: string;
}

interface GivingRequest {
  readonly revocation: string;
  readonly restoredBy: string;
  readonly dualControl: boolean;
  /** Called once nothing refuses it, before anything is written. */
  readonly begins?: (revocation: AccountRevocation, closes: readonly AccountRevocation[]) => void;
}

const NOTHING = { closed: [], given: [], failures: [] };

/** What a restore would be refused with, by what is open; undefined: it may begin. */
export function refusedGiving(
  { open, unbelieved }: AccountRevocations,
  { revocation: id, restoredBy, dualControl }: GivingRequest,
): { readonly end: RestoreRefusal; readonly revocation: AccountRevocation | undefined } | undefined {
  if (unbelieved.includes(id)) return { end: 'unbelieved', revocation: undefined };
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
  request.begins?.(revocation, closed);
  return new Giving(part, revocation, closed, ports).run();
}

class Giving {
  readonly #part: AccountPart;
  readonly #revocation: AccountRevocation;
  /** All that are closed by it: the one that is restored, and those that it has joined. */
  #closed: readonly AccountRevocation[];
  readonly #ports: AccountPorts;
  readonly #given = new Map<string, Taken>();
  readonly #failures = new Map<string, TakenFailure>();
  #hasClosed = false;
  /** So much of what they took has been given. */
  #gave = 0;

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
    try {
      for (let wave = 1; wave <= WAVES; wave += 1) {
        await this.#giveAll();
        const ended = (await this.#overtaken()) ?? (await this.#close());
        if (ended === undefined) continue;
        if ('end' in ended) return ended;
        const failures = await this.#takeBack(ended);
        // It may have been restored by somebody else, or withdrawn, before this took anything: then nobody has it on record.
        const newer = await twice(() => this.#overtaken(), this.#ports.sleep);
        if (!newer) continue;
        await this.#keepOnRecord(newer);
        return { ...this.#result('overtaken'), revocation: ended, given: [], failures };
      }
      return this.#result('incomplete', 'It is revoked and restored by others at the same moment.');
    } catch (error) {
      return this.#result('incomplete', errorText(error));
    }
  }

  /** One that was written at the same time may lack what the one before took. */
  get #all(): readonly Taken[] {
    return allTaken(this.#closed);
  }

  async #giveAll(): Promise<void> {
    this.#failures.clear();
    this.#gave = this.#all.length;
    await Promise.all(this.#all.map((one) => this.#give(one)));
  }

  /**
   * Takes the record away, once all of it is given. Then all is read once more: a restore that had been overtaken by the very
   * revocation that this one gives back may have taken something away late.
   *
   * @returns how it ended, or the newer revocation that it has lost to; undefined: something is missing, and the record
   *   stands again
   */
  async #close(): Promise<AccountGiving | AccountRevocation | undefined> {
    if (this.#failures.size > 0) return this.#result('incomplete');
    const { tags, now, sleep } = this.#ports;
    const { account, part } = this.#part;
    const shown = await tags.read(account);
    const other = this.#learn(shown);
    if (other || this.#all.length > this.#gave) return other;
    const records = tagsOfRecords(shown, this.#closed);
    const before = this.#closed.length;
    this.#hasClosed = true;
    // Its answer may be lost: a read shows whether it is gone.
    const notRemoved = await twice(() => tags.remove(account, records), sleep).catch(errorText);
    const newer = await this.#overtaken();
    if (newer) return newer;
    const held = await Promise.all(this.#all.map((one) => twice(() => this.#part.isHeld(one), sleep)));
    if (held.every(Boolean)) {
      const left = openOfPart(await tags.read(account), part, now());
      if (left.length === 0) return this.#result('restored');
      // One that has come since its tags were read goes the next time.
      return this.#closed.length > before || this.#all.length > this.#gave
        ? undefined
        : this.#result('incomplete', notRemoved ?? 'The record still stands.');
    }
    const meanwhile = await this.#overtaken();
    if (!meanwhile) await this.#record(this.#closed);
    return meanwhile;
  }

  async #give(taken: Taken): Promise<void> {
    const { sleep } = this.#ports;
    try {
      if (await twice(() => this.#part.isHeld(taken), sleep)) return;
      await giveOne(this.#part, taken, this.#ports);
      this.#given.set(takenId(taken), taken);
    } catch (error) {
      this.#failures.set(takenId(taken), failureOf(taken, error));
    }
  }

  async #overtaken(): Promise<AccountRevocation | undefined> {
    return this.#learn(await this.#ports.tags.read(this.#part.account));
  }

  /**
   * One that was not open when this began has begun later, whatever its clock says. One that was, and is at work still, has
   * more in its record by now: that is given, too, before the record goes. What a look has put on record meanwhile, as a
   * killed restore of the same has not given it, is nobody's revocation: it is given, and closed, with the others.
   */
  #learn(tags: Readonly<Record<string, string>>): AccountRevocation | undefined {
    const open = openOfPart(tags, this.#part.part, this.#ports.now());
    const rests = new Set(this.#closed.map(({ id }) => restOf(id)));
    const all = new Map(this.#closed.map((one) => [one.id, one]));
    for (const one of open) {
      const known = all.get(one.id);
      if (known) all.set(one.id, { ...known, took: allTaken([known, one]) });
      else if (rests.has(one.id)) all.set(one.id, one);
    }
    this.#closed = [...all.values()];
    // Nor is what a look has put on record of another one, which was restored.
    return open.find(({ id }) => !all.has(id) && madeAs(id) === id);
  }

  /**
   * What the newer revocation has in its record it keeps: it may have looked before this had given it back. What it has not,
   * it has yet to see, and to write down before it takes it.
   */
  async #takeBack(newer: AccountRevocation): Promise<TakenFailure[]> {
    const failures = new Map<string, TakenFailure>();
    const recorded = new Set(newer.took.map(takenId));
    const back = this.#all.filter((one) => recorded.has(takenId(one)));
    await takeAll(this.#part, back, failures, this.#ports);
    return [...failures.values()];
  }

  /**
   * The revocation that is given back may not have been at its end: what it took after this had seen it held is missing, and a
   * newer one that looked just then does not know of it. Its own record says so again, as the older one, whatever the clocks
   * say, and is closed with the newer one.
   */
  async #keepOnRecord(newer: AccountRevocation): Promise<void> {
    const recorded = new Set(newer.took.map(takenId));
    if (!this.#hasClosed || this.#all.every((one) => recorded.has(takenId(one)))) return;
    const latest = newer.revokedOn.getTime() - 1;
    const older = this.#closed.map((one) => ({
      ...one,
      revokedOn: new Date(Math.min(one.revokedOn.getTime(), latest)),
    }));
    await this.#record(older);
  }

  async #record(all: readonly AccountRevocation[]): Promise<void> {
    const records = Object.assign({}, ...all.map(formatAccountRevocation));
    await twice(() => this.#ports.tags.merge(this.#part.account, records), this.#ports.sleep);
  }

  #result(end: RestoreEnd, unproven?: string): AccountGiving {
    return {
      end,
      revocation: this.#revocation,
      closed: this.#closed,
      given: [...this.#given.values()],
      failures: [...this.#failures.values()],
      ...(unproven === undefined ? {} : { unproven }),
    };
  }
}
