import { describe, expect, it } from 'vitest';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import type { FileShare } from '../../src/key-users/stored-data-client.ts';
import { chooseShare, findProbeTarget } from '../../src/probe/probe-targets.ts';

const share = (name: string, protocol: 'SMB' | 'NFS' = 'SMB'): FileShare => ({ name, protocol });

describe('the share that is asked', () => {
  it.each<[sentence: string, shares: FileShare[], chosen: string | undefined]>([
    ['none of none', [], undefined],
    ['the first by name', [share('b'), share('a')], 'a'],
    ['one over SMB before one over NFS', [share('a', 'NFS'), share('b')], 'b'],
    ['one over NFS when there is no other', [share('a', 'NFS')], 'a'],
  ])('The share that the probe chooses is %s', (_, shares, chosen) => {
    expect(chooseShare(shares)).toBe(chosen);
  });
});

describe('the probe target of an account', () => {
  const id =
    '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';

  const shareA = [share('a')];

  async function targetWith(shares: FileShare[], probeBlobs: boolean, failure?: Error) {
    let listed = 0;
    const lists = {
      settings: { probeBlobs },
      shares: {
        async *list() {
          yield* shares;
        },
      },
      containers: {
        async *list() {
          if (failure) throw failure;
          for (;;) {
            listed += 1;
            yield `c${listed - 1}`;
          }
        },
      },
    };

    const target = await findProbeTarget(parseResourceId(id) as ResourceId, lists, AbortSignal.timeout(1_000));

    return { target, listed };
  }

  it.each([true, false])(
    'The probe target of an account with a share is that share, without a list of containers (blobs: %s)',
    async (probeBlobs) => {
      const expected = { target: { account: id, service: 'file', places: ['a'] }, listed: 0 };
      expect(await targetWith(shareA, probeBlobs)).toEqual(expected);
    },
  );

  it('The probe target of an account without a share is at most five containers if the blob probe is on', async () => {
    const { target, listed } = await targetWith([], true);
    expect(target).toEqual({ account: id, service: 'blob', places: ['c0', 'c1', 'c2', 'c3', 'c4'] });
    expect(listed).toBe(5);
  });

  it('An account without a share has no probe target if the blob probe is off', async () => {
    const expected = { target: { account: id, service: 'file', places: [] }, listed: 0 };
    expect(await targetWith([], false)).toEqual(expected);
  });

  it('The probe target of an account is unknown, with the reason, if its containers cannot be listed', async () => {
    const refused = Object.assign(new Error('Conflict'), { statusCode: 409, code: 'Conflict' });
    const { target } = await targetWith([], true, refused);
    expect(target).toMatchObject({ service: 'blob', unlisted: 'failed' });
    expect(target.why).toMatch(/^The app cannot list its blob containers/);
  });
});
