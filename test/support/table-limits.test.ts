import { describe, expect, it } from 'vitest';
import { MemoryFleetTable } from './memory-fleet-table.ts';

const row = (properties: Record<string, string>, keys: { partitionKey?: string; rowKey?: string } = {}) => ({
  partitionKey: 'p',
  rowKey: 'r',
  ...keys,
  properties,
});
const manyProperties = (count: number, length: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'x'.repeat(length)]));

describe('a table in memory', () => {
  it.each([
    ['a property of more than 64 KiB', row({ a: 'x'.repeat(32_769) }), 'PropertyValueTooLarge'],
    ['an entity of more than 1 MiB', row(manyProperties(16, 32_768)), 'EntityTooLarge'],
    ['more than 252 properties', row(manyProperties(253, 1)), 'TooManyProperties'],
    ['a key of more than 1 KiB', row({}, { rowKey: 'x'.repeat(513) }), 'KeyValueTooLarge'],
    ['a key with a slash', row({}, { partitionKey: 'a/b' }), 'OutOfRangeInput'],
  ])('A table in memory rejects %s, as Azure does', async (_, change, code) => {
    const table = new MemoryFleetTable();
    await expect(table.port().write([change])).rejects.toMatchObject({ statusCode: 400, code });
    expect(table.all).toEqual([]);
  });

  it('The limit of a table in memory applies to the entity after a merge', async () => {
    const table = new MemoryFleetTable();
    const all = Object.entries(manyProperties(16, 32_768));
    await table.port().write([row(Object.fromEntries(all.slice(0, 15)))]);
    await expect(table.port().write([row(Object.fromEntries(all.slice(15)))])).rejects.toMatchObject({
      code: 'EntityTooLarge',
    });
  });

  it('A table in memory accepts an entity at the limit', async () => {
    const table = new MemoryFleetTable();
    await table.port().write([row({ a: 'x'.repeat(32_768) })]);
    expect(table.all).toHaveLength(1);
  });
});
