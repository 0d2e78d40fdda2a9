import { describe, expect, it } from 'vitest';
import { isSameResource, parseResourceId } from '../../src/azure/resource-id.ts';
import { checkName } from '../../src/cli/procedures/names.ts';

const SUBSCRIPTION = '11111111-1111-1111-1111-111111111111';
const idIn = (group: string, name = 'stfiles01'): string =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${name}`;

describe('an ARM id', () => {
  it.each(['rg-files', 'rg-données', 'リソース', 'группа.1', 'a_(b)-٣', 'x', 'y'.repeat(90)])(
    'An ARM id may have the resource group %s',
    (group) => {
      expect(parseResourceId(idIn(group))).toMatchObject({ id: idIn(group), resourceGroup: group, name: 'stfiles01' });
      expect(parseResourceId(idIn(encodeURIComponent(group)))).toEqual(parseResourceId(idIn(group)));
      expect(isSameResource(idIn(encodeURIComponent(group)).toUpperCase(), `${idIn(group)}/`)).toBe(true);
      expect(() => checkName('resourceGroup', group)).not.toThrow();
    },
  );

  it.each([
    'ends.',
    '',
    'z'.repeat(91),
    'a b',
    'a%2Fb',
    'a%2',
    'a%E9',
    'a\u001b[2J',
    'a\u202eb',
    'a%00b',
    '..',
    'a%2F..%2Fb',
  ])('An ARM id may not have the resource group %j', (group) => {
    expect(parseResourceId(idIn(group))).toBeUndefined();
    expect(() => checkName('resourceGroup', group)).toThrow();
  });

  it('An ARM id names a top-level resource, and no child resource', () => {
    expect(parseResourceId(`${idIn('rg')}/`)?.id).toBe(idIn('rg'));

    for (const id of [
      '',
      idIn('rg', '..'),
      `${idIn('rg')}/blobServices/default`,
      idIn('rg', 'a%2Fb'),
      `x${idIn('rg')}`,
    ]) {
      expect(parseResourceId(id)).toBeUndefined();
    }
  });
});
