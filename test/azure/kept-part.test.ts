import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KeptPart, type PartTaken } from '../../src/azure/kept-part.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A source that answers when the test says so, and counts how often it was asked. */
class Source {
  asked = 0;
  #answer: ((value: string) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  /** What ends the reading that was begun last. */
  get answering(): (value: string) => void {
    return this.#answer ?? (() => undefined);
  }

  readonly read = (): Promise<string> => {
    this.asked += 1;
    return new Promise((resolve, reject) => {
      this.#answer = resolve;
      this.#fail = reject;
    });
  };

  answer(value: string): void {
    this.#answer?.(value);
  }

  fail(): void {
    this.#fail?.(new Error('no'));
  }
}

const now = () => new Date();

async function soon(taking: Promise<PartTaken<string>>, ms = 1_500): Promise<PartTaken<string>> {
  await vi.advanceTimersByTimeAsync(ms);
  return taking;
}

it('is being read for whoever does not want to wait longer, and there for who asks next', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const [one, other] = [part.take(source.read, now, 1_500), part.take(source.read, now, 1_500)];
  expect(await soon(one)).toEqual({ reading: true });
  expect(await other).toEqual({ reading: true });
  const readOn = new Date(Date.now() - 1_500);
  source.answer('a');
  expect(await soon(part.take(source.read, now, 1_500), 0)).toEqual({ value: 'a', readOn, ageMs: 1_500 });
  expect(source.asked).toBe(1);
});

it('is what was read before while it is read again, as long as that is not old', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const first = part.take(source.read, now, 1_500);
  source.answer('a');
  expect(await soon(first, 0)).toMatchObject({ value: 'a', ageMs: 0 });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(await soon(part.take(source.read, now, 1_500), 0)).toMatchObject({ value: 'a', ageMs: 9_999 });
  expect(source.asked).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await soon(part.take(source.read, now, 1_500))).toMatchObject({ value: 'a', ageMs: 11_500 });
  expect(source.asked).toBe(2);
  source.answer('b');
  expect(await soon(part.take(source.read, now, 1_500), 0)).toMatchObject({ value: 'b', ageMs: 1_500 });
});

it('is read no more often than it takes', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  void part.take(source.read, now, 1_500);
  await vi.advanceTimersByTimeAsync(40_000);
  source.answer('a');
  await vi.advanceTimersByTimeAsync(39_000);
  expect(await soon(part.take(source.read, now, 1_500), 0)).toMatchObject({ value: 'a', ageMs: 79_000 });
  expect(source.asked).toBe(1);
});

it('is what it failed by, for some seconds', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const first = part.take(source.read, now, 1_500);
  source.fail();
  expect(await soon(first, 0)).toMatchObject({ error: new Error('no') });
  await soon(part.take(source.read, now, 1_500), 4_999);
  expect(source.asked).toBe(1);
  const again = part.take(source.read, now, 1_500);
  source.answer('a');
  expect(await soon(again, 1)).toMatchObject({ error: new Error('no') });
  const third = part.take(source.read, now, 1_500);
  source.answer('a');
  expect(await soon(third, 0)).toMatchObject({ value: 'a' });
  expect(source.asked).toBe(2);
});

it('that hangs is given up, and what was read before is not shown for ever', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const first = part.take(source.read, now, 1_500);
  source.answer('a');
  await soon(first, 0);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(await soon(part.take(source.read, now, 1_500))).toMatchObject({ value: 'a' });
  await vi.advanceTimersByTimeAsync(79_000);
  expect(await soon(part.take(source.read, now, 0), 1)).toEqual({ reading: true });
  await vi.advanceTimersByTimeAsync(9_499);
  const hung = await soon(part.take(source.read, now, 1_500), 0);
  expect(hung).toMatchObject({ error: { name: 'TimeoutError', message: 'It could not be read within 90 s.' } });
});

it('that was changed is read anew at once, and until then is of before and being read', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const first = part.take(source.read, now, 1_500);
  source.answer('a');
  await soon(first, 0);
  part.change();
  const taking = part.take(source.read, now, 1_500);
  expect(await soon(taking)).toMatchObject({ value: 'a', ageMs: 1_500, reading: true });
  source.answer('b');
  const changed = await soon(part.take(source.read, now, 1_500), 0);
  expect(changed).toEqual({ value: 'b', readOn: expect.any(Date), ageMs: 1_500 });
  expect(source.asked).toBe(2);
});

it('is not what was begun before a change, however that ends, nor read more than twice at a time', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const before = part.take(source.read, now, 60_000);
  const endBefore = source.answering;
  part.change();
  const after = part.take(source.read, now, 1_500);
  source.answer('b');
  expect(await soon(after, 0)).toMatchObject({ value: 'b' });
  endBefore('a');
  expect(await soon(before, 0)).toMatchObject({ value: 'b' });
  expect(await soon(part.take(source.read, now, 1_500), 0)).toMatchObject({ value: 'b' });
  expect(source.asked).toBe(2);
  const ends: ((value: string) => void)[] = [];
  for (const _ of [1, 2, 3]) {
    part.change();
    expect(await soon(part.take(source.read, now, 100), 100)).toMatchObject({ value: 'b', reading: true });
    ends.push(source.answering);
  }
  expect(source.asked).toBe(4);
  for (const end of ends) end('c');
  await vi.advanceTimersByTimeAsync(0);
  expect(await soon(part.take(source.read, now, 100), 100)).toMatchObject({ value: 'c', reading: true });
  source.answer('d');
  const last = await soon(part.take(source.read, now, 100), 0);
  expect(last).toEqual({ value: 'd', readOn: expect.any(Date), ageMs: 100 });
  expect(source.asked).toBe(5);
});

it('that is changed over and over is read five times at once, and then at a pace', async () => {
  const source = new Source();
  const part = new KeptPart<string>(10_000);
  const look = async (): Promise<PartTaken<string>> => {
    part.change();
    const taking = part.take(source.read, now, 1_500);
    source.answer(String(source.asked));
    return soon(taking, 0);
  };
  for (const asked of [1, 2, 3, 4, 5]) expect(await look()).toMatchObject({ value: String(asked) });
  // What is shown is of before, and that is said; nobody waits for it.
  expect(await look()).toEqual({ value: '5', readOn: new Date(), ageMs: 0, reading: true });
  const counts: number[] = [];
  for (let seconds = 0; seconds < 20; seconds += 1) {
    await vi.advanceTimersByTimeAsync(1_000);
    await look();
    counts.push(source.asked);
  }
  expect([counts[3], counts[4], counts[9], counts[19]]).toEqual([5, 6, 7, 9]);
  expect(await soon(part.take(source.read, now, 1_500), 5_000)).not.toHaveProperty('reading');
});

it('that is kept for no time is read whenever it was changed', async () => {
  const source = new Source();
  const part = new KeptPart<string>(0);
  for (let asked = 1; asked <= 20; asked += 1) {
    part.change();
    const taking = part.take(source.read, now, 1_500);
    source.answer('a');
    expect(await soon(taking, 0)).not.toHaveProperty('reading');
  }
  expect(source.asked).toBe(20);
});
