import { expect, it } from 'vitest';
import { escapeText } from '../../src/cli/terminal/visible.ts';

it.each([
  ['an escape', 0x1b, '\\u001b'],
  ['an override of the direction', 0x202e, '\\u202e'],
  ['a grapheme joiner', 0x34f, '\\u034f'],
  ['a Hangul filler', 0x3164, '\\u3164'],
  ['a blank braille pattern', 0x2800, '\\u2800'],
  ['a tag character', 0xe0041, '\\udb40\\udc41'],
  ['a code point of the ignorable plane', 0xe0fff, '\\udb43\\udfff'],
  ['a format character of musical notation', 0x1d173, '\\ud834\\udd73'],
])('The output makes a character visible that a terminal would hide: %s', (_, point, shown) => {
  expect(escapeText(`a${String.fromCodePoint(point)}b`)).toBe(`a${shown}b`);
});

it('The output keeps letters, accents and emoji unchanged', () => {
  expect(escapeText('Größe é ✓ 😀 ❤️ नमस्ते')).toBe('Größe é ✓ 😀 ❤️ नमस्ते');
});
