import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { confirmName, createAsk } from '../../src/cli/terminal/confirm.ts';
import { Interruption } from '../../src/cli/terminal/interruption.ts';

/** A question on a terminal, and what is typed there. */
function asked(typed: string): Promise<string> {
  const input = new PassThrough();
  const output = new PassThrough().resume();
  const answer = createAsk(input, output)('Type it: ');
  input.write(typed);
  return answer;
}

describe('a question on the terminal', () => {
  it('A line answers a question on the terminal', async () => {
    expect(await asked('kv-files/files-key\r')).toBe('kv-files/files-key');
  });

  it('Ctrl-C ends the command at a question', async () => {
    await expect(asked('kv-\u0003')).rejects.toMatchObject({ name: 'Interruption', exitCode: 130 });
    await expect(asked('\u0003')).rejects.toBeInstanceOf(Interruption);
  });

  it('Ctrl-D rejects a question on the terminal', async () => {
    const refusal = { reason: 'ConfirmationWrong', message: expect.stringContaining('nothing was changed') };
    await expect(confirmName('revoke', 'kv/key', false, () => asked('\u0004'))).rejects.toMatchObject(refusal);
  });
});

it('a confirmation without a terminal is an error that says so', async () => {
  await expect(confirmName('revoke', 'kv/key', false, undefined)).rejects.toMatchObject({
    message: 'This would revoke kv/key, but no terminal is available to confirm it; nothing was changed.',
    nextStep: 'Add --yes.',
  });
});

it('a confirmation shows the warnings before the question', async () => {
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    return 'kv/key';
  };
  await confirmName('disable versions of', 'kv/key', false, ask, () => 'Not known is much.');
  expect(questions).toEqual([expect.stringMatching(/^Not known is much\.\nThis will disable versions of kv\/key; /)]);
});
