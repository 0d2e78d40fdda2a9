import { describe, expect, it } from 'vitest';
import { KEY } from '../support/keys.ts';
import { KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

const person = (n: number) => `0e450000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const application = (n: number) => `a9900000-0000-4000-8000-00000000000${n}`;

describe('a person who revoked', () => {
  it('A person who revoked cannot restore alone, however many people revoke again', async () => {
    const site = new KeySite();
    await site.revoke(ALICE);
    let last = '';
    for (let n = 1; n <= 16; n += 1) last = await site.revoke(person(n));
    for (const one of [ALICE, person(1), person(16)]) expect(await site.restore(one, last)).toBe('SecondPersonNeeded');
    expect(site.enabled()).toEqual([false, false]);
    expect(await site.restore(BOB, last)).toBe('Restored');
  });

  it('A person who revoked while the audit trail was unreachable cannot restore alone, by the tags', async () => {
    const site = new KeySite();
    const { audit } = site.trail;

    site.trail.audit = async () => ({ failed: 'the storage is out of reach' });

    let last = await site.revoke(ALICE);

    for (const n of [1, 2, 3]) last = await site.revoke(person(n));

    site.trail.audit = audit;
    for (const n of [4, 5]) last = await site.revoke(person(n));
    for (const one of [ALICE, person(1), person(4)]) expect(await site.restore(one, last)).toBe('SecondPersonNeeded');

    // The tags distinguish the revokers from others without the trail.
    site.trail.isOut = true;

    expect(await site.restore(BOB, last)).toBe('Restored');
  });

  it('A restore is denied to each person while the audit trail with the omitted revokers is unreadable', async () => {
    const site = new KeySite();

    await site.revoke(ALICE);

    let last = await site.revoke(person(1));

    site.trail.isOut = true;

    // The tags suffice.
    expect(await site.restore(BOB, last)).toBe('Restored');

    site.trail.isOut = false;
    for (let n = 1; n <= 16; n += 1) last = await site.revoke(person(n));

    site.trail.isOut = true;
    for (const one of [ALICE, BOB]) expect(await site.restore(one, last)).toBe('RevokersUnread');

    expect(await site.restore(person(16), last)).toBe('SecondPersonNeeded');
    expect(site.enabled()).toEqual([false, false]);

    // On a sign-in of their own that may change the key anyway.
    expect(await site.restore(BOB, last, KEY, { keyTrail: undefined })).toBe('Restored');
  });
});

it('An application cannot restore what it revoked, however many others revoke again', async () => {
  const site = new KeySite();
  const own = application(1);
  await site.revoke(own, KEY, 'application');
  let last = '';
  for (const n of [2, 3, 4, 5]) last = await site.revoke(application(n), KEY, 'application');
  expect(await site.restore(own, last, KEY, {}, 'application')).toBe('SecondPersonNeeded');
  expect(await site.restore(application(6), last, KEY, {}, 'application')).toBe('Restored');
});
