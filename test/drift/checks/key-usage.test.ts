import { describe, expect, it } from 'vitest';
import { KeyUsage } from '../../../src/drift/checks/key-usage.ts';
import { NEW, OLD, pinned, use } from './subjects.ts';

describe('who was seen to use a key', () => {
  it('is counted by version, and a user of whom Azure does not tell it as unknown', () => {
    const usage = new KeyUsage();
    usage.add('one', pinned(OLD));
    usage.add('two', use({ pinned: undefined, current: NEW.version }));
    usage.add('three', use({ pinned: undefined, current: undefined }));
    expect([OLD, NEW].map(({ version }) => usage.uses(version))).toEqual([true, true]);
    expect(usage.uses('other')).toBe(false);
    expect(usage).toMatchObject({ pinned: 1, pinnedExamples: ['one'], unknown: 1, incomplete: false });
  });

  it('is the same however it is put together of what was counted apart', () => {
    const [all, first, second] = [new KeyUsage(), new KeyUsage(), new KeyUsage()];
    for (const [index, part] of [first, second, second, second].entries()) {
      for (const usage of [all, part]) usage.add(`account${index}`, pinned(index % 2 === 0 ? OLD : NEW));
    }
    const together = new KeyUsage();
    for (const part of [first, second]) together.merge(part);
    expect(together).toEqual(all);
    expect(together.pinnedExamples).toEqual(['account0', 'account1', 'account2']);
    together.incomplete = true;
    expect(together.incomplete).toBe(true);
  });
});
