import { expect, it } from 'vitest';
import { csvLine } from '../src/csv.ts';

it.each([
  ['=1+1', "'=1+1"],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\t=1', "'\t=1"],
  ['\r=1', '"\'\r=1"'],
  ['＝1', "'＝1"],
  ['found;=HYPERLINK(A1)', "found;'=HYPERLINK(A1)"],
  ['a; @b;c', "a; '@b;c"],
  ['a=1', 'a=1'],
  ['a,"b"\nc', '"a,""b""\nc"'],
  ['=1,2', '"\'=1,2"'],
  ['', ''],
])('a spreadsheet takes %j for text', (cell, written) => {
  expect(csvLine([cell])).toBe(written);
});
