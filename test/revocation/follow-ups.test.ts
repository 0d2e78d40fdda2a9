import { expect, it } from 'vitest';
import { TEXT_LENGTHS } from '../../src/http/readable.ts';
import { requestPasses } from '../../src/revocation/follow-ups.ts';
import { PARSERS, type Work } from '../../src/work/messages.ts';
import { KEY } from '../support/keys.ts';
import { call, KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

it('The follow-up messages of a call have its longest texts, and the time at which each is due', async () => {
  const sent: Work[] = [];

  // As long as the API takes a reason and a ticket, and as it cuts the texts of a token.
  const [why, ticket, token] = [TEXT_LENGTHS.reason[1], TEXT_LENGTHS.ticket[1], 128].map((n) => 'x'.repeat(n));
  const own = call(ALICE);
  const said = { ...own, why: why ?? '', ticket, caller: { ...own.caller, tokenId: token, name: token } };
  const now = () => new Date('2026-11-25T03:00:00Z');

  await requestPasses(KEY, 'restore', said, {
    queue: {
      send: async (_, work) => {
        sent.push(work);
      },
    },
    now,
  });

  const read = sent.map((work) => PARSERS['key-work'](JSON.parse(JSON.stringify(work))));
  const due = ['00:15', '01:15', '06:40', '14:35'].map((time) => `2026-11-25T03:${time}.000Z`);

  expect(read).toMatchObject(due.map((on) => ({ key: KEY.id, due: on, claimed: said })));
});

it('A revocation that was killed before its audit record is in the trail although a second one joined it', async () => {
  for (const second of [ALICE, BOB]) {
    const site = new KeySite();
    await site.revoke(ALICE);
    site.trail.forget();
    await site.revoke(second);
    site.pass(3_600);
    await site.deliver({ kind: 'revocation', key: KEY.id, cause: { by: 'revoke', ref: '', since: '' }, attempt: 0 });
    expect(site.trail.entries.map(({ id }) => id)).toEqual([`key.revoke/rev-2/${second}`, `key.revoke/rev-1/${ALICE}`]);
  }
});
