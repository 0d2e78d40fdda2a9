import { describe, expect, it } from 'vitest';
import { evaluateOwnStorage } from '../../src/drift/gather/own-storage.ts';
import type { OtherDependent } from '../../src/key-users/dependent.ts';
import { KEY } from '../support/keys.ts';

const NONE = { ownSeen: [], lockedOutBy: [] };

function outOfSight(name: string, type = 'microsoft.storage/storageaccounts'): OtherDependent {
  const region = 'westeurope';
  const subscriptionId = 's-app';
  return { id: `/subscriptions/s-app/${name}`, name, type, region, subscriptionId, known: true, uses: [] };
}

describe("the app's own storage", () => {
  it("The app's own storage is read, with the keys on it, if a subscription shows it", () => {
    const lockedOutBy = [{ account: '/x/stcmkapp', key: KEY.id }];
    expect(evaluateOwnStorage(['stcmkapp'], [NONE, { ownSeen: ['stcmkapp'], lockedOutBy }], [])).toEqual({
      lockedOutBy,
      unread: [],
    });
    expect(evaluateOwnStorage([], [NONE], [])).toEqual({ lockedOutBy: [], unread: [] });
  });

  it("The app's own storage is reported as unread, as advice, if no subscription shows it", () => {
    const { lockedOutBy, unread } = evaluateOwnStorage(
      ['stcmkapp', 'stcmkwork'],
      [{ ...NONE, ownSeen: ['stcmkwork'] }],
      [],
    );
    expect(lockedOutBy).toEqual([]);
    expect(unread).toEqual([expect.objectContaining({ resource: 'stcmkapp', isOptional: true })]);
    expect(unread[0]?.detail).toMatch(/does not know whether it uses a managed key.*CMK_SUBSCRIPTIONS/);
  });

  it("The app's own storage is reported as locked out by a managed key if only Resource Graph shows it on that key", () => {
    const others = [outOfSight('StCmkApp'), outOfSight('stfiles01'), outOfSight('stcmkapp', 'microsoft.sql/servers')];
    expect(evaluateOwnStorage(['stcmkapp'], [NONE], [{ key: KEY, others }, { key: KEY }])).toEqual({
      lockedOutBy: [{ account: '/subscriptions/s-app/StCmkApp', key: KEY.id }],
      unread: [],
    });
  });
});
