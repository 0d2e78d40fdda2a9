import { expect, it } from 'vitest';
import { REASONS } from '../../src/errors/reasons.ts';
import { sources } from '../infra/sources.ts';

it('every reason code stands in the source, so that an operator finds the code of a log line', () => {
  const text = sources('src').flatMap(({ file, text }) => (/^(?:reasons|refusals)\.ts$/.test(file) ? [] : [text]));
  const given = (code: string) => text.some((one) => new RegExp(`\\b${code}\\b`).test(one));
  expect(Object.keys(REASONS).filter((code) => !given(code))).toEqual([]);
});
