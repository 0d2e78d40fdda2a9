import { describe, expect, it } from 'vitest';
import { SUBSCRIPTION_ID } from '../../local/azure/constants.ts';
import { addAccount, addResourceGroup } from '../../local/azure/fleet.ts';
import { parseResourceId, sameResource } from '../../src/azure/resource-id.ts';
import { checkName } from '../../src/operations/names.ts';
import { useWire } from '../support/wire.ts';

const SUBSCRIPTION = '11111111-1111-1111-1111-111111111111';
const idIn = (group: string, name = 'stfiles01'): string =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/${name}`;

describe('an ARM id', () => {
  it.each(['rg-files', 'rg-données', 'リソース', 'группа.1', 'a_(b)-٣', 'x', 'y'.repeat(90)])(
    'may have the resource group %s',
    (group) => {
      expect(parseResourceId(idIn(group))).toMatchObject({ id: idIn(group), resourceGroup: group, name: 'stfiles01' });
      expect(parseResourceId(idIn(encodeURIComponent(group)))).toEqual(parseResourceId(idIn(group)));
      expect(sameResource(idIn(encodeURIComponent(group)).toUpperCase(), `${idIn(group)}/`)).toBe(true);
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
  ])('may not have the resource group %j', (group) => {
    expect(parseResourceId(idIn(group))).toBeUndefined();
    expect(() => checkName('resourceGroup', group)).toThrow();
  });

  it('is that of a top-level resource, and nothing else', () => {
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

describe('accounts in a group whose name is not ASCII', () => {
  const wire = useWire();

  it('are seen, read and written', async () => {
    const { world } = wire.azure;
    const subscription = world.subscriptions.get(SUBSCRIPTION_ID);
    if (!subscription) throw new Error('The local fleet has no subscription.');
    addAccount(world, addResourceGroup(world, subscription, 'rg-données'), { name: 'stdonnees', shares: ['share1'] });
    const { accounts, shares } = wire.services();
    const seen = [];
    for await (const account of accounts.list(SUBSCRIPTION_ID)) seen.push(account);
    const found = seen.find(({ name }) => name === 'stdonnees');
    const id = parseResourceId(found?.id ?? '');
    if (!id) throw new Error('The account is not seen.');
    expect(found?.resourceGroup).toBe('rg-données');
    const { encryption } = await accounts.get(id);
    expect((await accounts.updateEncryption(id, encryption)).name).toBe('stdonnees');
    const names = [];
    for await (const share of shares.list(id)) names.push(share.name);
    expect(names).toEqual(['share1']);
  });
});
