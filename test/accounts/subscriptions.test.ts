import { expect, it } from 'vitest';
import { withVanished } from '../../src/accounts/subscriptions-client.ts';
import { day } from '../support/keys.ts';

const usable = (...ids: string[]) => ids.map((id) => ({ id, usable: true }));
const listed = (all: readonly { id: string; usable: boolean }[], listings: () => Promise<ReadonlyMap<string, Date>>) =>
  withVanished({ all: async () => all }, { listings }, () => day(100)).list();
const index = async () => new Map([...'abc'].map((id, at) => [id, day(9 + at)] as const));

it('a subscription that was listed within 90 days stays in the list when Azure no longer shows it', async () => {
  expect(await listed(usable('a', 'd'), index)).toEqual(['a', 'd', 'c']);
});

it('a disabled subscription does not count as vanished', async () => {
  expect(await listed([...usable('a'), { id: 'c', usable: false }], index)).toEqual(['a']);
});

it('without the index, the subscriptions that Azure shows are listed', async () => {
  expect(await listed(usable('a'), () => Promise.reject(new Error('no storage')))).toEqual(['a']);
});
