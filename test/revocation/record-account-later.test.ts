import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { formatAccountRevocation, type Taken } from '../../src/revocation/account-record.ts';
import type { AccountWord } from '../../src/revocation/account-trail.ts';
import { recordAccountLater } from '../../src/revocation/record-account-later.ts';
import { MemoryAccount, role, SAYS_NOTHING } from './account-parts.ts';
import { ALICE, BOB } from './records.ts';

const REVOKED = new Date('2026-03-02T08:00:00.000Z');
const SINCE = new Date('2026-03-02T09:00:00.000Z');
/** What the message says; the record has a later time, as it has to be newer than others. */
const REVOCATION = { id: 'f00d', revokedOn: REVOKED.toISOString(), revokedBy: ALICE };
const RECORD = {
  id: 'f00d',
  revokedOn: new Date(REVOKED.getTime() + 1),
  revokedBy: ALICE,
  part: 'identity',
  took: [role(1)],
} as const;
const CALL = { caller: { objectId: ALICE, appId: 'az' }, correlationId: 'call-1', why: 'Found' };

const said = (did: AccountWord['did'], reason: string, more: Partial<AccountWord> = {}): AccountWord => ({
  ...{ did, reason, revocation: 'f00d', on: new Date('2026-03-02T09:30:00.000Z') },
  ...{ ...SAYS_NOTHING, closed: did === 'restore' ? ['f00d'] : [], ...more },
});
const OWN = said('revoke', 'AccountRevoked');
const RESTORED = said('restore', 'AccountRestored');
const IN_VAIN = said('restore', 'AccountRestoreIncomplete');
const MADE_UP = said('restore', 'AccountRestored', {
  ...{ revocation: 'beef', closed: ['beef'], foundLater: true, byMessageAlone: true },
});
const OTHER = said('revoke', 'AccountRevoked', { revocation: 'beef' });

/** What is written where the trail says this, and where the record stands, or does not, or that of the rest. */
async function later(
  did: 'revoke' | 'restore',
  stands: boolean | 'rest',
  words: AccountWord[],
  before: AccountWord[] = [],
  { id = REVOCATION.id, gives, closes }: { id?: string; gives?: Taken[]; closes?: string[] } = {},
  asked: Date[] = [],
  objectId = ALICE,
) {
  const account = new MemoryAccount();
  const record = stands === 'rest' ? { ...RECORD, id: 'f00d-rest' } : RECORD;
  if (stands) account.tags = { ...formatAccountRevocation(record) };
  const written: AuditEntry[] = [];
  const isTold = await recordAccountLater(
    account.part(),
    { did, revocation: { ...REVOCATION, id }, call: { ...CALL, caller: { ...CALL.caller, objectId } }, gives, closes },
    SINCE,
    {
      ...account.ports,
      audit: async (entry) => {
        written.push(entry);
        return { written: { file: 'f', seq: 1, hash: 'h' } };
      },
      accountTrail: async (_, since) => {
        asked.push(since);
        return since < SINCE ? [...words, ...before] : words;
      },
    },
  );
  return {
    isTold,
    written: written.map(({ reason }) => reason),
    details: written[0]?.details,
    caller: written[0]?.caller,
  };
}

describe('a revocation that its own process has not put on record', () => {
  it.each<[string, boolean, AccountWord[], boolean, string[]]>([
    ['is there already', true, [OWN], true, []],
    ['is not there, and stands, whatever else was done', true, [OTHER], true, ['AccountRevocationIncomplete']],
    ['was restored since', false, [RESTORED], true, ['AccountRevocationIncomplete']],
    ['was never begun, or is being restored', false, [OTHER], false, []],
  ])('%s', async (_, stands, words, isTold, written) => {
    expect(await later('revoke', stands, words)).toMatchObject({ isTold, written });
  });

  it('is told in the name of whom its record names, and of nobody else', async () => {
    const [proven, claimed, restored] = [
      await later('revoke', true, []),
      await later('revoke', true, [], [], {}, [], BOB),
      await later('restore', false, [OWN]),
    ];
    expect(proven).toMatchObject({ caller: CALL.caller, details: { why: 'Found' } });
    for (const { caller, details } of [claimed, restored]) {
      expect(caller).toBeUndefined();
      expect(details).toMatchObject({ foundIn: 'key-work', claimed: { why: 'Found' } });
      expect(details).not.toHaveProperty('why');
    }
  });

  it('is told as its record has it', async () => {
    const { revokedOn, took } = RECORD;
    expect((await later('revoke', true, [])).details).toMatchObject({ revocation: { revokedOn, took } });
  });
});

describe('a restore that its own process has not put on record', () => {
  it.each<[string, boolean | 'rest', AccountWord[], string[]]>([
    ['has not taken the record away', true, [OWN], []],
    ['is there already', false, [RESTORED, OWN], []],
    ['has', false, [OWN], ['AccountRestored']],
    ['has, and what it has not given back is on record', 'rest', [OWN], ['AccountRestoreIncomplete']],
    ['has, after one in vain', false, [IN_VAIN, OWN], ['AccountRestored']],
  ])('%s', async (_, stands, words, written) => {
    expect(await later('restore', stands, words)).toMatchObject({ isTold: true, written });
  });

  it.each<[string, AccountWord[], AccountWord[], true | undefined]>([
    ['the trail has its revocation', [OWN], [], undefined],
    ['it has it from before', [], [OWN], undefined],
    ['it has a restore in vain', [IN_VAIN], [], undefined],
    ['it has nothing of it', [OTHER], [], true],
  ])('is told as what the message alone says, or not: %s', async (_, words, before, byMessageAlone) => {
    expect((await later('restore', false, words, before)).details?.byMessageAlone).toBe(byMessageAlone);
  });

  it.each<[string, AccountWord[], AccountWord[], true | undefined]>([
    ['nothing', [OWN], [], true],
    ['what a message alone has said', [OWN, MADE_UP], [], true],
    ['a revocation that such a message has had put on record', [OWN, { ...OTHER, byMessageAlone: true }], [], true],
    ['its revocation', [OWN, OTHER], [], undefined],
    ['its revocation, from before', [OWN], [OTHER], undefined],
    ['its restore in vain', [OWN, said('restore', 'AccountRestoreIncomplete', { closed: ['beef'] })], [], undefined],
  ])('is told as what the message alone says where it closes another one, of which there is %s', async (...row) => {
    const [, words, before, byMessageAlone] = row;
    const { details } = await later('restore', false, words, before, { closes: ['beef', 'f00d'], gives: [role(1)] });
    expect(details).toMatchObject({ closed: ['f00d', 'beef'] });
    expect(details?.byMessageAlone).toBe(byMessageAlone);
  });

  it('is looked for once more than a month back, however old its message says that it is', async () => {
    const asked: Date[] = [];
    await later('restore', false, [OWN], [], { closes: ['beef', 'f00d'] }, asked);
    expect(asked).toEqual([SINCE, new Date(REVOKED.getTime() - 31 * 86_400_000)]);
  });

  it.each([
    ['a restore', 'restore', ['AccountRestored']],
    ['its revocation', 'revoke', ['AccountRevocationIncomplete']],
  ] as const)('is no proof of itself: %s is put on record beside it, as what a message alone says', async (...row) => {
    const [, did, written] = row;
    const made = await later(did, false, [MADE_UP], [], { id: 'beef', gives: [role(1)] });
    expect(made).toMatchObject({ written, details: { byMessageAlone: true } });
  });

  it.each<[Taken[] | undefined, string]>([
    [[role(1)], 'AccountRestored'],
    [undefined, 'AccountRestoreIncomplete'],
  ])('is not told as done where nobody knows what it was to give: by %j it is %s', async (gives, reason) => {
    expect(await later('restore', false, [], [], { gives })).toMatchObject({ written: [reason] });
  });

  it.each<[string, boolean, string[] | undefined, string[]]>([
    ['all that its message names', false, ['beef', 'f00d'], ['f00d', 'beef']],
    ['it alone, by a message from before these were named', false, undefined, ['f00d']],
    ['none that stands, written anew since', true, ['beef', 'f00d'], ['beef']],
  ])('has closed %s', async (_, stands, closes, closed) => {
    const id = stands ? 'beef' : REVOCATION.id;
    expect((await later('restore', stands, [OWN], [], { id, closes })).details).toMatchObject({ closed });
  });

  it.each(['f00d-rest', 'f00d-rest-rest'])('is known by the revocation that %s is the rest of', async (id) => {
    const { written, details } = await later('restore', false, [OWN], [], { id });
    expect(written).toEqual(['AccountRestored']);
    expect(details).not.toHaveProperty('byMessageAlone');
  });
});
