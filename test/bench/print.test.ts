import { expect, it, vi } from 'vitest';
import { isBeside } from '../../bench/print.ts';
import { SHAPES } from '../../bench/shapes.ts';

const of = (azure: number, throttled: number) => ({ all: { azure, throttled } });

it.each<[what: string, is: ReturnType<typeof of>, other: ReturnType<typeof of> | undefined, kept: boolean]>([
  ['as many requests as it may', of(1_200, 0), of(1_000, 0), true],
  ['one request more', of(1_201, 0), of(1_000, 0), false],
  ['as many refused as the other', of(1_000, 3), of(1_000, 3), true],
  ['one refused more', of(1_000, 4), of(1_000, 3), false],
  ['no other to compare it with', of(9_000, 9), undefined, true],
])('a shape that is promised to be no dearer than another one: %s', (_, is, other, kept) => {
  const print = vi.spyOn(console, 'log').mockReturnValue();
  expect(isBeside(is, other, { shape: 'other', requests: 1.2, throttled: 1 })).toBe(kept);
  expect(print.mock.calls.flat().join().includes('NOT KEPT')).toBe(!kept);
});

it('compares shapes with such that come before them', () => {
  const names = SHAPES.map(({ name }) => name);
  const beside = SHAPES.flatMap(({ name, promises }) => (promises.beside ? [[promises.beside.shape, name]] : []));
  expect(beside).toEqual([
    ['cell-500', 'three-instances'],
    ['one-key-2000', 'keys-20'],
  ]);
  for (const [first = '', second = ''] of beside) {
    expect(names.indexOf(first)).toBeGreaterThanOrEqual(0);
    expect(names.indexOf(second)).toBeGreaterThan(names.indexOf(first));
  }
});
