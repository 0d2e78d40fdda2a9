import { describe, expect, it } from 'vitest';
import type { FileShare } from '../../src/dependents/file-shares-client.ts';
import { chooseShare } from '../../src/effect/probe-targets.ts';

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
