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

  it('goes on a few at a time however many there are, though each caller calls again', async () => {
    const givingWay = new GivingWay();
    let answered = 0;
    let flooding = true;
    const callers = Array.from({ length: 5_000 }, async () => {
      while (flooding) {
        await givingWay.turn();
        answered += 1;
        await new Promise(setImmediate);
      }
    });
    // A revocation waits for answers of its own, one after the other.
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
    flooding = false;
    expect(answered).toBeLessThanOrEqual(250);
    await Promise.all(callers);
  });

  it('is held back for no more than some thousand turns', async () => {
    const givingWay = new GivingWay();
    const flood = Promise.all(Array.from({ length: 20_000 }, () => givingWay.turn()));
    let turns = 0;
    let over = false;
    void flood.then(() => (over = true));
    for (; !over; turns += 1) await new Promise(setImmediate);
    expect(turns).toBeLessThan(3_000);
  });
});
