import { describe, expect, it } from 'vitest';
import { PAUSE_REQUEST } from '../../src/api/pause.ts';
import { REKEY_CHANGE, REKEY_REQUEST } from '../../src/api/rekeys.ts';
import { REVOKE_REQUEST } from '../../src/api/revoke.ts';
import { isReadable } from '../../src/http/readable.ts';

describe('a reason that a caller gives', () => {
  it.each([
    'Laptop stolen, INC-4711',
    'Vol d’un portable – à Genève',
    '笔记本电脑被盗',
    'لپ‌تاپ',
    '4711',
    'Lost 💻 again',
    'Kept ❤️ safe',
    'ที่นี่ พบแล้ว ἀ̔͂',
  ])('The API accepts the reason of a caller: %s', (said) => expect(isReadable(said)).toBe(true));

  it.each<[string, string]>([
    ['a line break', 'lost\nRestored by an intruder'],
    ['a carriage return', 'lost\rfound'],
    ['a control character', 'lost\u001b[2K'],
    ['text that runs backwards', 'lost \u202edetser'],
    ['a character of no width', 'lo\u200bst'],
    ['a line separator', 'lost\u2028found'],
    ['half a character', 'lost \ud800'],
    ['no word at all', '... !?'],
    ['letters that are not seen', '\u3164\u3164\u3164'],
    ['a filler between letters', 'lost\u115ffound'],
    ['a braille pattern without dots', 'lost\u2800found'],
    ['text in tags', 'lost\u{e0066}\u{e006f}'],
    ['a variation that hides text', 'lost\u{e0101}'],
    ['marks that run over the lines around', `lost${'\u0301'.repeat(40)}`],
  ])('The API rejects the reason of a caller: %s', (_, said) => {
    expect(isReadable(said)).toBe(false);
    expect(REVOKE_REQUEST.safeParse({ reason: said, confirm: 'kv/key' }).success).toBe(false);
    expect(PAUSE_REQUEST.safeParse({ reason: said }).success).toBe(false);
    const rekey = { from: 'kv/old', to: 'kv/new', reason: 'Stolen' };
    expect(REKEY_REQUEST.safeParse(rekey).success).toBe(true);
    expect(REKEY_REQUEST.safeParse({ ...rekey, reason: said }).success).toBe(false);
    expect(REKEY_REQUEST.safeParse({ ...rekey, ticket: said }).success).toBe(false);
    expect(REKEY_CHANGE.safeParse({ reason: said }).success).toBe(false);
  });
});
