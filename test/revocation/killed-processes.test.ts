import { describe, expect, it, vi } from 'vitest';
import { keepRevoked } from '../../src/revocation/keep-revoked.ts';
import { keysOf } from '../simulation/memory-vault.ts';
import { ON_ANY_MACHINE } from '../support/eventually.ts';
import { KEY } from '../support/keys.ts';
import { KeySite } from './key-site.ts';
import { ALICE, BOB } from './records.ts';

/** A pass over the key, by a message that anything may have sent. */
const look = { kind: 'revocation', key: KEY.id, cause: { by: 'drift', ref: '', since: '' }, attempt: 0 };

const kept = ({ trail }: KeySite) => trail.entries.filter(({ action }) => action === 'key.keepRevoked');

/** A process that is killed right after its next write to Key Vault. */
function killedAfterPatch(site: KeySite) {
  const keys = keysOf(site.vault(), async (_, effect) => effect());
  const updateVersion: typeof keys.updateVersion = async (...update) => {
    await keys.updateVersion(...update);
    return new Promise(() => {});
  };
  return { ...site.services(), keys: { ...keys, updateVersion } };
}

describe('a version that appears while the key is revoked', () => {
  it('A later pass records once a version that a killed process disabled', async () => {
    const site = new KeySite();
    const id = await site.revoke(ALICE);

    site.pass(3_600);

    const { version } = site.vault().create();

    keepRevoked(KEY, killedAfterPatch(site), () => {});
    await vi.waitFor(() => expect(site.enabled()).toEqual([false, false, false]), ON_ANY_MACHINE);

    expect(kept(site)).toEqual([]);

    await site.deliver(look);
    await site.deliver(look);

    const details = { version, revocation: id, foundIn: 'key-work' };
    expect(kept(site)).toMatchObject([{ id: `key.keepRevoked/${id}/${version}`, reason: 'KeptRevoked', details }]);
  });

  it('Only the process that disabled a later version records it', async () => {
    const site = new KeySite();
    await site.revoke(ALICE);
    site.pass(3_600);
    site.vault().create();
    await keepRevoked(KEY, site.services(), () => {});
    await site.deliver(look);
    expect(kept(site)).toHaveLength(1);
    expect(kept(site)[0]?.details).not.toHaveProperty('foundIn');
  });
});

it('The pass that finishes the restore of a dead process queues the uses of the key, and a pass days later does not', async () => {
  const site = new KeySite();
  const id = await site.revoke(ALICE);

  site.restore(BOB, id, KEY, { keys: killedAfterPatch(site).keys });
  await vi.waitFor(
    () => expect(site.vault().versions.some(({ tags }) => JSON.stringify(tags).includes('restoring'))).toBe(true),
    ON_ANY_MACHINE,
  );
  site.pass(60);
  site.sent.splice(0);
  await site.deliver(look);

  expect(site.enabled()).toEqual([true, true]);
  expect(site.sent).toMatchObject([{ kind: 'key', key: KEY.id, cause: { by: 'restore' } }]);

  site.sent.splice(0);
  site.pass(2 * 86_400);
  await site.deliver(look);

  expect(site.sent).toEqual([]);
});
