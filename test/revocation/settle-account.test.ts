import { describe, expect, it } from 'vitest';
import {
  allTaken,
  formatAccountRevocation,
  readAccountRevocations,
  type Taken,
  takenId,
} from '../../src/revocation/account-record.ts';
import type { AccountWord } from '../../src/revocation/account-trail.ts';
import { giveAccount } from '../../src/revocation/give-account.ts';
import { settleAccount } from '../../src/revocation/settle-account.ts';
import { takeAccount } from '../../src/revocation/take-account.ts';
import { keptLog } from '../support/app-services.ts';
import { DAVE, MemoryAccount, role, SAYS_NOTHING, take } from './account-parts.ts';
import { ALICE, BOB } from './records.ts';

const SECOND = 1_000;
const MINUTE = 60_000;
const LOST = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
const REFUSED = Object.assign(new Error('no right'), { statusCode: 403, code: 'AuthorizationFailed' });
const HELD = [takenId(role(1))];

/** An account with one role, what the audit trail says of it, and looks at it. */
class Site {
  readonly account = new MemoryAccount();
  /** Newest first. */
  readonly words: AccountWord[] = [];
  readonly written: string[] = [];
  readonly kept = keptLog();
  since: Date | undefined;

  constructor() {
    this.account.give(role(1));
    this.account.givenOn.clear();
  }

  get held() {
    return [...this.account.roles.keys()];
  }
  get open() {
    return readAccountRevocations(this.account.tags, this.account.now).open;
  }
  pass(ms: number): void {
    this.account.now = new Date(this.account.now.getTime() + ms);
  }
  /** A late write of the app, or a person. */
  giveRole(n = 1): void {
    this.account.give(role(n));
  }
  say(word: Partial<AccountWord> & Pick<AccountWord, 'did' | 'revocation'>): void {
    const reason = word.did === 'revoke' ? 'AccountRevoked' : 'AccountRestored';
    this.words.unshift({ reason, on: this.account.now, ...SAYS_NOTHING, ...word });
  }
  async revoke(id = 'f00d') {
    const { account } = this;
    const { revocation, found } = await takeAccount(account.part(), { id, revokedBy: ALICE }, account.ports);
    this.say({ did: 'revoke', revocation: id, record: revocation, found });
    return revocation;
  }
  async restore(id = 'f00d', more: Partial<AccountWord> = {}): Promise<void> {
    const { account } = this;
    const request = { revocation: id, restoredBy: BOB, dualControl: true };
    const { end, closed } = await giveAccount(account.part(), request, account.ports);
    expect(end).toBe('restored');
    const word = { closed: closed.map((one) => one.id), gives: allTaken(closed), ...more };
    this.say({ did: 'restore', revocation: id, ...word });
  }
  look(did?: 'revoke' | 'restore', id = 'f00d', records = false, gives?: Taken[], closes?: string[]): Promise<void> {
    const { account, words, written, kept } = this;
    const now = account.now.toISOString();
    const call = { caller: { objectId: ALICE, appId: 'az' }, correlationId: 'call-1', why: 'Found' };
    const done = did && { did, revocation: { id, revokedOn: now, revokedBy: ALICE }, call, gives, closes };
    account.calls.length = 0;
    const services = {
      ...account.ports,
      audit: async ({ reason }: { readonly reason: string }) => {
        written.push(reason);
        return { failed: 'not looked at here' };
      },
      accountTrail: async (_: string, since: Date) => {
        this.since = since;
        return words;
      },
    };
    return settleAccount(account.part(), { done, records }, account.now, services, kept.log);
  }
}

describe('what has access although it is revoked', () => {
  it.each([
    [10 * MINUTE, []],
    [10 * MINUTE + 1, HELD],
  ])('and was given %i ms after it was revoked', async (ms, held) => {
    const site = new Site();
    await site.revoke();
    site.pass(ms);
    site.giveRole();
    site.pass(MINUTE);
    await site.look('revoke');
    expect(site.held).toEqual(held);
  });

  it.each([
    [30 * SECOND, []],
    [30 * SECOND - 1, HELD],
    // By a clock that is ahead.
    [-1, []],
  ])('and was given %i ms ago: a restore may be under way', async (ms, held) => {
    const site = new Site();
    await site.revoke();
    site.pass(MINUTE);
    site.giveRole();
    site.pass(ms);
    await site.look('revoke');
    expect(site.held).toEqual(held);
  });

  it.each([
    [5 * MINUTE, []],
    [11 * MINUTE, HELD],
  ])('and Azure does not say since when, %i ms after it was revoked', async (ms, held) => {
    const site = new Site();
    await site.revoke();
    site.giveRole();
    site.account.givenOn.clear();
    site.pass(ms);
    await site.look('revoke');
    expect(site.held).toEqual(held);
  });

  it('counts from the newest of the revocations that have it in their record', async () => {
    const site = new Site();
    await site.revoke();
    site.pass(60 * MINUTE);
    await site.revoke('beef');
    site.giveRole();
    site.pass(MINUTE);
    await site.look();
    expect(site.held).toEqual([]);
    expect(site.written).toEqual(['AccountKeptRevoked']);
  });

  it('is taken away by the call of the message alone, where the trail has not got it yet', async () => {
    const site = new Site();
    await site.revoke();
    site.words.length = 0;
    site.giveRole();
    site.pass(MINUTE);
    await site.look();
    expect(site.held).toEqual(HELD);
    await site.look('revoke');
    expect(site.held).toEqual([]);
  });

  it('keeps it where a restore closes the record just then, before it is taken or after', async () => {
    const before = new Site();
    const after = new Site();
    for (const site of [before, after]) {
      await site.revoke();
      site.giveRole();
      site.pass(MINUTE);
    }
    before.account.before('standing', () => before.restore());
    await before.look('revoke');
    expect(before.account.calls).not.toContain('take');
    after.account.before('take', () => after.restore());
    await after.look('revoke');
    for (const { held, open, written } of [before, after]) expect([held, open, written]).toEqual([HELD, [], []]);
  });

  it('is left to a restore that is under way, also where Azure does not say when it was given', async () => {
    const site = new Site();
    await site.revoke();
    site.giveRole();
    site.account.givenOn.clear();
    site.pass(MINUTE);
    site.account.before('sleep', () => site.restore());
    await site.look('revoke');
    expect(site.open).toEqual([]);
    expect(site.account.calls).not.toContain('take');
    expect(site.held).toEqual(HELD);
  });

  it('is for a person where the app may not take it, and is tried again where it could not', async () => {
    const site = new Site();
    await site.revoke();
    site.giveRole();
    site.pass(MINUTE);
    site.account.before('take', () => Promise.reject(REFUSED));
    await site.look('revoke');
    expect(site.kept.records.at(-1)).toMatchObject({ level: 'error', reason: 'AccountRevocationIncomplete' });
    for (let n = 0; n < 2; n += 1) site.account.before('take', () => Promise.reject(LOST));
    await expect(site.look('revoke')).rejects.toThrow('socket hang up');
    expect(site.written).toEqual([]);
  });
});

describe('the record of what is revoked', () => {
  it.each([
    ['somebody has restored it in vain', { reason: 'AccountRestoreIncomplete' }],
    ['a look has taken it for restored', { foundLater: true }],
  ])('stands although %s', async (_, more) => {
    const site = new Site();
    await site.revoke();
    site.say({ did: 'restore', revocation: 'f00d', closed: ['f00d'], ...more });
    await site.look('revoke');
    expect(site.open.map(({ id }) => id)).toEqual(['f00d']);
  });

  it('is looked for in the trail from when it was made', async () => {
    const site = new Site();
    const { revokedOn } = await site.revoke();
    site.pass(24 * 60 * MINUTE);
    await site.look();
    expect(site.since).toEqual(revokedOn);
  });

  it('loses nothing that a look has put into it when it is mended', async () => {
    const site = new Site();
    const revocation = await site.revoke();
    const more = { ...revocation, took: [role(1), role(2)] };
    site.account.tags = { ...formatAccountRevocation(more) };
    await site.look('revoke');
    expect(site.open).toEqual([more]);
  });

  it('is not made whole once it was restored, whatever of it comes late', async () => {
    const site = new Site();
    await site.revoke();
    const [name = '', value = ''] = Object.entries(site.account.tags).find(([one]) => one.endsWith('.2')) ?? [];
    await site.restore();
    site.account.tags = { [name]: value };
    await site.look('revoke');
    expect([site.open, site.written]).toEqual([[], []]);
  });

  it('is not written again where somebody has taken all of it away', async () => {
    const site = new Site();
    await site.revoke();
    site.account.tags = {};
    await site.look('revoke');
    expect([site.open, site.written]).toEqual([[], []]);
  });

  it('is made of what is missing where a restore that died had closed it while it was still taken away', async () => {
    const site = new Site();
    site.giveRole(2);
    const revoked = await site.revoke();
    site.account.tags = {};
    site.giveRole(2);
    site.pass(4 * MINUTE);
    await site.look('restore');
    expect(site.open).toEqual([]);
    await site.look('restore', 'f00d', true);
    expect(site.open).toEqual([{ ...revoked, id: 'f00d-rest', took: [role(1)] }]);
    expect(site.written).toEqual(['AccountKeptRevoked']);
    await site.look('revoke', 'f00d', true);
    await site.restore('f00d-rest');
    expect(site.held.sort()).toEqual([takenId(role(1)), takenId(role(2))]);
  });

  it('is made of what the restore says that it gives, where the revocation died with it without a word', async () => {
    const site = new Site();
    site.giveRole(2);
    const { took } = await site.revoke();
    site.words.length = 0;
    site.account.tags = {};
    site.giveRole(2);
    await site.look('restore', 'f00d', true);
    expect(site.open).toEqual([]);
    await site.look('restore', 'f00d', true, [...took]);
    const rest = { id: 'f00d-rest', revokedBy: ALICE, part: 'identity' };
    expect(site.open).toMatchObject([{ ...rest, took: [role(1)] }]);
    expect(site.written).toEqual(['AccountKeptRevoked']);
    for (const did of ['revoke', 'restore'] as const) await site.look(did, 'f00d', false, [...took]);
    expect(site.held).toEqual([takenId(role(2))]);
    await site.restore('f00d-rest');
    expect(site.held.sort()).toEqual([takenId(role(1)), takenId(role(2))]);
  });

  it('is made of what is missing where a revocation at work has put its own back with more, and said nothing of it', async () => {
    const site = new Site();
    const revoked = await take(site.account);
    await site.restore();
    const grown = { ...revoked.revocation, took: [role(1), role(2)] };
    site.account.tags = { ...site.account.tags, ...formatAccountRevocation(grown) };
    site.account.roles.clear();
    await site.look('restore');
    expect(site.open).toEqual([{ ...grown, id: 'f00d-rest' }]);
    expect(site.written).toEqual(['AccountKeptRevoked', 'RestoreFinished']);
    // At work still.
    site.account.tags = { ...site.account.tags, ...formatAccountRevocation(grown) };
    await site.look('revoke');
    expect(site.open).toEqual([{ ...grown, id: 'f00d-rest' }]);
    await site.restore('f00d-rest');
    expect(site.held.sort()).toEqual([takenId(role(1)), takenId(role(2))]);
  });

  it('keeps who may not restore it where it is of several', async () => {
    const site = new Site();
    const { revocation } = await take(site.account);
    await site.restore();
    const other = { ...revocation, id: 'beef', revokedBy: DAVE, took: [role(2)] };
    site.say({ did: 'restore', revocation: 'beef', closed: ['beef'] });
    for (const of of [revocation, other]) site.account.tags = { ...site.account.tags, ...formatAccountRevocation(of) };
    site.account.roles.clear();
    await site.look();
    const [rest] = site.open;
    expect([rest?.revokedBy, ...(rest?.joined ?? [])].sort()).toEqual([ALICE, DAVE].sort());
  });

  it.each([
    [100 * SECOND, false],
    [100 * SECOND + 1, true],
  ])('is made of that where it stood still in the middle, and ends %i ms after its restore: %s', async (ms, isMade) => {
    const site = new Site();
    const revoked = await take(site.account);
    await site.restore();
    site.pass(ms);
    site.account.tags = { ...site.account.tags, ...formatAccountRevocation(revoked.revocation) };
    site.account.roles.clear();
    site.say({ did: 'revoke', revocation: 'f00d', record: revoked.revocation, found: [role(1)] });
    await site.look('revoke');
    expect(site.open).toEqual(isMade ? [{ ...revoked.revocation, id: 'f00d-rest' }] : []);
    // The last look of the restore may have been before.
    await site.look('restore');
    expect(site.held).toEqual(isMade ? [] : HELD);
  });

  it('is made of that by its own message, where it was taken for dead and nothing of it is left in the tags', async () => {
    const site = new Site();
    const { revocation } = await take(site.account);
    await site.restore();
    site.pass(5 * MINUTE);
    site.account.roles.clear();
    site.say({ did: 'revoke', revocation: 'f00d', reason: 'AccountRevocationIncomplete', foundLater: true });
    for (let n = 0; n < 2; n += 1) await site.look('revoke', 'f00d', false, [role(1)]);
    expect(site.open).toMatchObject([{ id: 'f00d-rest', revokedBy: revocation.revokedBy, took: [role(1)] }]);
    expect(site.written).toEqual(['AccountKeptRevoked']);
  });

  it('is not made of what is taken by a person, where the revocation was at its end before', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.pass(5 * MINUTE);
    site.account.roles.clear();
    await site.look('revoke', 'f00d', false, [role(1)]);
    expect([site.open, site.written]).toEqual([[], []]);
  });

  it('is made of what the restore that came last could not give, past the role of its caller', async () => {
    const site = new Site();
    const revoked = await take(site.account);
    await site.restore();
    const grown = { ...revoked.revocation, took: [role(1), role(2)] };
    site.account.tags = { ...site.account.tags, ...formatAccountRevocation(grown) };
    site.say({ did: 'revoke', revocation: 'f00d', record: grown, found: grown.took });
    const refused = { closed: ['f00d'], gives: grown.took, refused: [role(2)] };
    site.say({ did: 'restore', revocation: 'f00d', reason: 'AccountRestoreIncomplete', ...refused });
    await site.look('restore');
    expect(site.open).toEqual([{ ...grown, id: 'f00d-rest', took: [role(2)] }]);
  });

  it('is made of that while it is revoked anew: the looks at its restore give nothing then', async () => {
    const site = new Site();
    const revoked = await take(site.account);
    await site.restore();
    site.account.roles.clear();
    site.pass(MINUTE);
    // At work, and not on record yet.
    await take(site.account, 'beef');
    const grown = { ...revoked.revocation, took: [role(1), role(2)] };
    site.account.tags = { ...site.account.tags, ...formatAccountRevocation(grown) };
    site.say({ did: 'revoke', revocation: 'f00d', record: grown, found: grown.took });
    await site.look('revoke', 'beef');
    expect(site.open.map(({ id }) => id)).toEqual(['beef', 'f00d-rest']);
    site.pass(20 * MINUTE);
    await site.restore('beef');
    expect(site.held.sort()).toEqual([takenId(role(1)), takenId(role(2))]);
  });

  it('has also what one took that the revocation had joined, and keeps who may not restore it', async () => {
    const site = new Site();
    const revoked = await site.revoke();
    site.account.tags = {};
    await site.look('restore', 'f00d', true, [role(1), role(2)]);
    const all = { ...revoked, id: 'f00d-rest', took: [role(1), role(2)] };
    expect(site.open).toEqual([all]);
    site.words.length = 0;
    site.pass(MINUTE);
    await site.look('restore', 'F00D', true, [role(3)]);
    expect(site.open).toEqual([{ ...all, took: [role(1), role(2), role(3)] }]);
  });

  it('has also what such a one took last, by its own word', async () => {
    const site = new Site();
    const revoked = await site.revoke();
    const joined = { ...revoked, id: 'beef', took: [role(1), role(2)] };
    site.say({ did: 'revoke', revocation: 'beef', record: joined });
    site.account.tags = {};
    await site.look('restore', 'f00d', true, [role(1)]);
    expect(site.open).toEqual([{ ...revoked, id: 'f00d-rest', took: [role(1)] }]);
    await site.look('restore', 'f00d', true, [role(1)], ['f00d', 'beef']);
    expect(site.open).toEqual([{ ...revoked, id: 'f00d-rest', took: [role(1), role(2)] }]);
  });

  it.each<[string, (site: Site) => void | Promise<void>]>([
    ['all of it is there', (site) => site.giveRole()],
    [
      'the restore is on record',
      (site) => site.say({ did: 'restore', revocation: 'beef', closed: ['beef', 'f00d'], foundLater: true }),
    ],
    ['the revocation is not', (site) => void site.words.pop()],
    [
      'a newer revocation has it in its record',
      async (site) => {
        site.giveRole();
        await site.revoke('beef');
      },
    ],
  ])('is not made anew where %s', async (_, change) => {
    const site = new Site();
    await site.revoke();
    site.account.tags = {};
    await change(site);
    await site.look('restore', 'f00d', true);
    expect(site.open.map(({ id }) => id)).not.toContain('f00d-rest');
  });

  it('of what is missing takes nothing that was restored since', async () => {
    const site = new Site();
    site.giveRole(2);
    const revoked = await site.revoke();
    site.account.tags = {};
    site.giveRole(2);
    site.pass(MINUTE);
    await site.revoke('beef');
    await site.restore('beef');
    await site.look('restore', 'f00d', true);
    for (const id of ['f00d', 'beef']) await site.look('revoke', id, true);
    expect(site.open).toEqual([{ ...revoked, id: 'f00d-rest', took: [role(1)] }]);
    expect(site.held).toEqual([takenId(role(2))]);
  });

  it.each([
    [15 * MINUTE, 'AccountRestored', [role(1)]],
    [15 * MINUTE + 1, 'AccountRestored', []],
    [MINUTE, 'AccountRestoreIncomplete', []],
  ])('has what was gone %i ms after a restore that ended as %s', async (ms, reason, took) => {
    const site = new Site();
    await site.revoke();
    await site.restore('f00d', { reason });
    site.account.roles.clear();
    site.pass(ms);
    await site.revoke('beef');
    await site.look('revoke', 'beef');
    expect(site.open).toMatchObject([{ id: 'beef', took }]);
  });
});

describe('what is gone although it was restored', () => {
  it.each([
    [15 * MINUTE, HELD],
    [15 * MINUTE + 1, []],
  ])('and is missing %i ms after that', async (ms, held) => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.account.roles.clear();
    site.pass(ms);
    await site.look('restore');
    expect(site.held).toEqual(held);
  });

  it.each<[string, Partial<AccountWord> & Pick<AccountWord, 'did' | 'revocation'>, readonly string[]]>([
    [
      'a restore that has lost to another one',
      { did: 'restore', revocation: 'beef', reason: 'RestoreOvertaken' },
      HELD,
    ],
    ['a restore of another one, which has looks of its own', { did: 'restore', revocation: 'beef' }, []],
    ['a restore that a look has found', { did: 'restore', revocation: 'f00d', foundLater: true }, []],
    ['a restore in vain', { did: 'restore', revocation: 'f00d', reason: 'AccountRestoreIncomplete' }, HELD],
    ['the revocation, on record after its restore', { did: 'revoke', revocation: 'f00d' }, HELD],
    ['a newer revocation', { did: 'revoke', revocation: 'beef' }, []],
  ])('where the last word is that of %s', async (_, word, held) => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.say(word);
    site.account.roles.clear();
    site.pass(MINUTE);
    await site.look('restore');
    expect(site.held).toEqual(held);
  });

  it('is given also where it is the restore before that gave it', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.account.roles.clear();
    await site.revoke('beef');
    await site.restore('beef');
    await site.look('restore', 'beef');
    expect(site.held).toEqual(HELD);
  });

  it('is given also where the revocation took it after that, still at work, as its own word has it', async () => {
    const site = new Site();
    site.say({ did: 'revoke', revocation: 'beef', found: [role(3)] });
    const revoked = await site.revoke();
    await site.restore();
    // What it has joined, tags have said.
    const record = { ...revoked, took: [role(1), role(2), role(4)] };
    site.say({ did: 'revoke', revocation: 'f00d', record, found: [role(1), role(2)] });
    await site.look('restore');
    expect(site.held).toEqual([takenId(role(1)), takenId(role(2))]);
  });

  it('is nothing that whoever restored it may not give, though nothing is on record any more', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore('f00d', { reason: 'AccountRestoreIncomplete', refused: [role(2)], gives: [role(1), role(2)] });
    site.account.roles.clear();
    await site.look('restore');
    expect(site.held).toEqual(HELD);
  });

  it('is what a restore says that it gives back, though that was not seen to its end', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore('f00d', { reason: 'AccountRestoreIncomplete' });
    site.account.roles.clear();
    await site.look('restore');
    expect(site.held).toEqual(HELD);
  });

  it('is not given for a moment to what is revoked anew just then', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.account.roles.clear();
    site.account.before('isHeld', async () => void (await site.revoke('beef')));
    await site.look('restore');
    expect(site.account.calls).not.toContain('give');
  });

  it('is for a person where the app may not give it, and is tried again where it could not', async () => {
    const site = new Site();
    await site.revoke();
    await site.restore();
    site.account.roles.clear();
    site.account.before('give', () => Promise.reject(REFUSED));
    await site.look('restore');
    expect(site.kept.records.at(-1)).toMatchObject({ level: 'error', reason: 'AccountRestoreIncomplete' });
    for (let n = 0; n < 2; n += 1) site.account.before('give', () => Promise.reject(LOST));
    await expect(site.look('restore')).rejects.toThrow('socket hang up');
    expect(site.written).toEqual([]);
  });
});
