import { describe, expect, it } from 'vitest';
import { KEY } from '../support/keys.ts';
import { KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

const person = (n: number) => `0e450000-0000-4000-8000-00000000000${n}`;
const application = (n: number) => `a9900000-0000-4000-8000-00000000000${n}`;

describe('a person who revoked', () => {
  it('cannot restore alone, however many applications revoke again', async () => {
    const site = new KeySite();
    await site.revoke(ALICE);
    let last = '';
    for (const n of [1, 2, 3, 4, 5]) last = await site.revoke(application(n), KEY, 'application');
    expect(await site.restore(ALICE, last)).toBe('secondPerson');
    expect(site.enabled()).toEqual([false, false]);
    expect(await site.restore(BOB, last)).toBe('restored');
  });

  it('cannot restore alone, however many people revoke again: the audit trail has all of them', async () => {
    const site = new KeySite();
    await site.revoke(ALICE);
    let last = '';
    for (const n of [1, 2, 3, 4, 5]) last = await site.revoke(person(n));
    for (const one of [ALICE, person(1), person(5)]) expect(await site.restore(one, last)).toBe('secondPerson');
    expect(site.enabled()).toEqual([false, false]);
    expect(await site.restore(BOB, last)).toBe('restored');
  });

  it('is not let through, nor is another person, while the audit trail that alone has all of them cannot be read', async () => {
    const site = new KeySite();
    await site.revoke(ALICE);
    let last = await site.revoke(person(1));
    site.trail.isOut = true;
    // The tags suffice.
    expect(await site.restore(BOB, last)).toBe('restored');
    site.trail.isOut = false;
    for (const n of [1, 2, 3, 4]) last = await site.revoke(person(n));
    site.trail.isOut = true;
    for (const one of [ALICE, BOB]) expect(await site.restore(one, last)).toBe('revokersUnread');
    expect(await site.restore(person(4), last)).toBe('secondPerson');
    expect(site.enabled()).toEqual([false, false]);
    // On a sign-in of their own that may change the key anyway.
    expect(await site.restore(BOB, last, KEY, { keyTrail: undefined })).toBe('restored');
  });

  it('may restore a later revocation that is not theirs', async () => {
    const site = new KeySite();
    await site.restore(BOB, await site.revoke(ALICE));
    let last = '';
    for (const n of [1, 2, 3, 4, 5]) last = await site.revoke(person(n));
    expect(await site.restore(ALICE, last)).toBe('restored');
  });
});
