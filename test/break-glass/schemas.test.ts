import { describe, expect, it } from 'vitest';
import { isReadable, REVOKE_REQUEST } from '../../src/break-glass/schemas.ts';

describe('what a caller says', () => {
  it.each([
    'Laptop stolen, INC-4711',
    'Vol d’un portable – à Genève',
    '笔记本电脑被盗',
    'لپ‌تاپ',
    '4711',
    'Lost 💻 again',
  ])('is taken: %s', (said) => expect(isReadable(said)).toBe(true));

  it.each<[string, string]>([
    ['a line break', 'lost\nRestored by nobody'],
    ['a carriage return', 'lost\rfound'],
    ['a control character', 'lost\u001b[2K'],
    ['text that runs backwards', 'lost \u202edetser'],
    ['a character of no width', 'lo\u200bst'],
    ['a line separator', 'lost\u2028found'],
    ['half a character', 'lost \ud800'],
    ['no word at all', '... !?'],
  ])('is refused: %s', (_, said) => {
    expect(isReadable(said)).toBe(false);
    expect(REVOKE_REQUEST.safeParse({ reason: said, confirm: 'kv/key' }).success).toBe(false);
  });
});
