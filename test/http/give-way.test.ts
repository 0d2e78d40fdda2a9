import { describe, expect, it } from 'vitest';
import { GivingWay } from '../../src/http/give-way.ts';

describe('what gives way', () => {
  it('goes on in order, one in each turn of the event loop, and what arrives meanwhile is looked at between', async () => {
    const givingWay = new GivingWay();
    const order: string[] = [];
    const flood = Array.from({ length: 100 }, async (_, n) => {
      await givingWay.turn();
      order.push(`${n}`);
    });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    order.push('urgent');
    await Promise.all(flood);
    expect(order.indexOf('urgent')).toBeLessThanOrEqual(3);
    expect(order.filter((name) => name !== 'urgent')).toEqual(flood.map((_, n) => `${n}`));
  });

  it('waits for one turn where there is nothing else', async () => {
    const givingWay = new GivingWay();
    const order: string[] = [];
    void givingWay.turn().then(() => order.push('it'));
    await new Promise(setImmediate);
    expect(order).toEqual(['it']);
  });

  it('is not held back beyond what the memory should hold', async () => {
    const givingWay = new GivingWay();
    let gone = 0;
    const flood = Array.from({ length: 3_500 }, () => givingWay.turn().then(() => (gone += 1)));
    await Promise.resolve().then(() => Promise.resolve());
    expect(gone).toBe(500);
    await Promise.all(flood);
  });
});
