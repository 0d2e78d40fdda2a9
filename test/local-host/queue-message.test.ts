import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, encodeMessage, outputMessages, triggerData } from '../../local/host/queue-message.ts';

it('A queue message decodes to the text that was encoded', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('base64' as const, 'none' as const),
      (text, encoding) => {
        expect(decodeMessage(encodeMessage(text, encoding), encoding)).toBe(text);
      },
    ),
  );
});

describe('what the function gets', () => {
  it.each([
    ['an object as JSON', '{"a":1}', { json: '{"a":1}' }],
    ['an array as JSON', '[1]', { json: '[1]' }],
    ['plain text as text', 'hello', { string: 'hello' }],
    ['a number as text, which the library makes a number', '123', { string: '123' }],
    ['true as .NET writes it', 'true', { string: 'True' }],
    ['false as .NET writes it', 'false', { string: 'False' }],
  ])('A function gets %s', (_what, text, data) => {
    expect(triggerData(text)).toEqual(data);
  });
});

describe('what an output becomes', () => {
  it.each([
    ['an object as one message', { json: '{"a":1}' }, ['{"a":1}']],
    ['an array as a message for each item that is not null', { json: '[{"a":1},"b",2,null]' }, ['{"a":1}', 'b', '2']],
    ['a JSON string with an array as a message for each item', { string: '[1,2]' }, ['1', '2']],
    ['plain text unchanged', { string: 'text' }, ['text']],
    ['a number as its text', { int: 5 }, ['5']],
    [
      'times in a JSON string in their short form',
      { string: '{"at":"2030-01-01T00:00:00.000Z","to":"2030-01-01T00:00:00.120Z"}' },
      ['{"at":"2030-01-01T00:00:00Z","to":"2030-01-01T00:00:00.12Z"}'],
    ],
    [
      'times in an object unchanged',
      { json: '{"at":"2030-01-01T00:00:00.000Z"}' },
      ['{"at":"2030-01-01T00:00:00.000Z"}'],
    ],
  ])('A queue output sends %s', (_what, data, messages) => {
    expect(outputMessages(data)).toEqual(messages);
  });
});
