import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '../../src/audit/record.ts';
import { listNamedKeys } from '../../src/audit/trail-filter.ts';
import { KEY } from '../support/keys.ts';
import { call, KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

const MALLORY = 'ba110000-0000-4000-8000-00000000000d';
const cause = { by: 'revoke', ref: 'forged', since: '' };

describe('a forged message in key-work', () => {
  it('A forged message neither enables what a person disabled nor disables what a person enabled', async () => {
    const site = new KeySite();
    const first = await site.revoke(ALICE);

    await site.restore(BOB, first);

    const [one, two] = site.vault().versions.map(({ version }) => version);
    const tombstone = site.vault().versions[0]?.tags ?? {};
    const second = await site.revoke(ALICE);

    await site.restore(BOB, second);

    // As a late write of the first restore would have left it, but that a person did it, long after.
    site.pass(3_600);
    site.vault().update(one ?? '', { enabled: false, tags: tombstone });
    await site.deliver({ kind: 'revocation', key: KEY.id, cause, attempt: 0 });

    expect(site.enabled()).toEqual([false, true]);

    await site.revoke(ALICE);
    site.pass(3_600);
    site.vault().update(two ?? '', { enabled: true, tags: {} });
    await site.deliver({ kind: 'revocation', key: KEY.id, cause, attempt: 0 });

    expect(site.enabled()).toEqual([false, true]);
  });

  it('A message supplies the reason of a missing audit record only if its caller is the one that the key names', async () => {
    for (const [objectId, why] of [
      [ALICE, 'a test'],
      [MALLORY, undefined],
    ] as const) {
      const site = new KeySite();

      await site.revoke(ALICE);
      site.trail.forget();

      const since = site.now().toISOString();
      const message = {
        kind: 'revocation',
        key: KEY.id,
        claimed: call(objectId),
        cause: { ...cause, since },
        attempt: 0,
      };

      await site.deliver(message);

      expect(site.trail.entries).toEqual([]);

      site.pass(1_200);
      await site.deliver(message);
      await site.deliver(message);

      expect(site.trail.entries).toMatchObject([
        {
          id: `key.revoke/rev-1/${ALICE}`,
          action: 'key.revoke',
          caller: { objectId: ALICE },
          details: { why, foundIn: 'key-work' },
        },
      ]);

      // So old that the trail is not read for it.
      site.trail.forget();
      site.pass(8 * 86_400);
      await site.deliver(message);

      expect(site.trail.entries).toEqual([]);
    }
  });

  it.each([
    ['a denied restore by the same person', 'restore', 0],
    ['a later revocation by the same person', 'revoke', 900],
  ])('The message of %s supplies no reason for a missing audit record', async (_, by, seconds) => {
    const site = new KeySite();

    await site.revoke(ALICE);
    site.trail.forget();
    site.pass(seconds);

    const since = site.now().toISOString();

    site.pass(1_200);

    const message = {
      kind: 'revocation',
      key: KEY.id,
      claimed: call(ALICE),
      cause: { by, ref: 'call', since },
      attempt: 0,
    };

    await site.deliver(message);

    const [entry] = site.trail.entries;
    expect(entry).toMatchObject({ action: 'key.revoke', caller: { objectId: ALICE } });
    expect(entry?.details?.why).toBeUndefined();
  });

  it.each([
    ['too long', 'x'.repeat(501)],
    ['with invisible characters', 'I was bribed\u202egnp.exe'],
    ['with control characters', 'I was bribed\u001b[2J'],
    ['of several lines', 'I was bribed\nReason: none'],
  ])('A forged message supplies no reason that the API rejects: %s', async (_, why) => {
    const site = new KeySite();

    await site.revoke(ALICE);
    site.trail.forget();

    const since = site.now().toISOString();

    site.pass(1_200);

    const message = { kind: 'revocation', key: KEY.id, claimed: { ...call(ALICE), why }, cause: { ...cause, since } };

    await site.deliver({ ...message, attempt: 0 });

    const [entry] = site.trail.entries;
    expect(entry).toMatchObject({ action: 'key.revoke', caller: { objectId: ALICE } });
    expect(JSON.stringify(entry)).not.toContain(why.slice(0, 12));
  });

  it('A forged message adds no name, client or sign-in to the object id that the key shows', async () => {
    const site = new KeySite();

    await site.revoke(ALICE);
    site.trail.forget();

    const since = site.now().toISOString();

    site.pass(1_200);

    const named = {
      objectId: ALICE,
      appId: 'forged',
      tokenId: 'forged',
      name: 'https://kv-other.vault.azure.net/keys/forged',
    };

    const claimed = { ...call(ALICE), caller: named, correlationId: 'forged' };

    await site.deliver({ kind: 'revocation', key: KEY.id, claimed, cause: { ...cause, since }, attempt: 0 });

    const [entry] = site.trail.entries;
    expect(entry).toMatchObject({ caller: { objectId: ALICE }, details: { claimed: { caller: named } } });

    const { details, ...rest } = entry ?? {};
    expect(JSON.stringify(rest)).not.toContain('forged');

    // Nor can the message assign it to another key, which would hide it from callers who may read only this one.
    expect(listNamedKeys(entry as AuditEntry)).toEqual([{ vault: 'kv-files', key: KEY.name }]);
    expect(details?.foundIn).toBe('key-work');
  });

  it('A forged message leads to the missing record of a restore, with the person whom the key names', async () => {
    const site = new KeySite();
    await site.restore(BOB, await site.revoke(ALICE));
    site.trail.forget();
    site.pass(1_200);
    await site.deliver({ kind: 'revocation', key: KEY.id, claimed: call(MALLORY), cause, attempt: 0 });
    expect(site.trail.entries).toMatchObject([
      { id: `key.restore/rev-1/${BOB}`, caller: { objectId: BOB }, details: { foundIn: 'key-work' } },
    ]);
  });
});
