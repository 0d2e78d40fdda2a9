import { expect, it } from 'vitest';
import { KeyUsage } from '../../../src/drift/checks/key-usage.ts';
import { NEW, OLD, pinned, use } from './subjects.ts';

it('clients of a key are counted by version, and a client that Azure does not name as unknown', () => {
  const usage = new KeyUsage();
  usage.add('one', pinned(OLD));
  usage.add('two', use({ pinned: undefined, current: NEW.version }));
  usage.add('three', use({ pinned: undefined, current: undefined }));
  expect([OLD, NEW].map(({ version }) => usage.uses(version))).toEqual([true, true]);
  expect(usage.uses('other')).toBe(false);
  expect(usage).toMatchObject({ pinned: 1, pinnedExamples: ['one'], unknown: 1, incomplete: false });
});
