import { describe, expect, it } from 'vitest';
import { parseResourceId, type ResourceId } from '../../src/azure/resource-id.ts';
import type { FileShare } from '../../src/key-users/stored-data-client.ts';
import { chooseShare, listTargetsOfAccount } from '../../src/probe/probe-targets.ts';

const share = (name: string, protocol: 'SMB' | 'NFS' = 'SMB'): FileShare => ({ name, protocol });

describe('the share that is asked', () => {
  it.each<[sentence: string, shares: FileShare[], chosen: string | undefined]>([
    ['none of none', [], undefined],
    ['the first by name', [share('b'), share('a')], 'a'],
    ['one over SMB before one over NFS', [share('a', 'NFS'), share('b')], 'b'],
    ['one over NFS when there is no other', [share('a', 'NFS')], 'a'],
  ])('is %s', (_, shares, chosen) => {
    expect(chooseShare(shares)).toBe(chosen);
  });
});

describe('what is asked of an account', () => {
  const id =
    '/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st1';

  async function asked(probeBlobs: boolean, failure?: Error) {
    let listed = 0;
    const lists = {
      settings: { probeBlobs },
      shares: {
        async *list() {
          yield share('a');
        },
      },
      containers: {
        async *list() {
          if (failure) throw failure;

          for (let n = 0; ; n += 1) {
            listed += 1;
            yield `c${n}`;
          }
        },
      },
    };

    const targets = listTargetsOfAccount(parseResourceId(id) as ResourceId, lists, AbortSignal.timeout(1_000));

    return { targets: await targets, listed };
  }

  it('is one share, and five containers at the most where blobs are to be asked for', async () => {
    expect(await asked(false)).toMatchObject({ targets: [{ service: 'file', places: ['a'] }], listed: 0 });
    const { targets, listed } = await asked(true);
    expect(targets[1]).toEqual({ account: id, service: 'blob', places: ['c0', 'c1', 'c2', 'c3', 'c4'] });
    expect(listed).toBe(5);
  });

  it('is said where it cannot be listed', async () => {
    const refused = Object.assign(new Error('Conflict'), { statusCode: 409, code: 'Conflict' });
    expect((await asked(true, refused)).targets[1]?.why).toMatch(/^The app cannot list its blob containers/);
  });
});
