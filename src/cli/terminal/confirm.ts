import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { CmkError } from '../../errors/errors.ts';
import { Interruption } from './interruption.ts';

/** Asks the operator on the terminal; undefined: no terminal is available. */
export type Ask = ((question: string) => Promise<string>) | undefined;

export function createTerminalAsk(): Ask {
  return process.stdin.isTTY && process.stderr.isTTY ? createAsk(process.stdin, process.stderr) : undefined;
}

/** Asks on these terminal streams. The listeners end the question on Ctrl-C and Ctrl-D. */
export function createAsk(input: Readable, output: Writable): NonNullable<Ask> {
  return async (question) => {
    const terminal = createInterface({ input, output, terminal: true });
    try {
      const answer = await new Promise<string | Interruption>((resolve, reject) => {
        terminal.once('SIGINT', () => resolve(new Interruption(130, 'Nothing was changed.')));
        terminal.once('close', () => resolve(''));
        terminal.question(question).then(resolve, reject);
      });
      if (answer === '' || answer instanceof Interruption) output.write('\n'); // ends the line of the question
      if (answer instanceof Interruption) throw answer;
      return answer;
    } finally {
      terminal.close();
    }
  };
}

/**
 * Asks the operator to type the name of the key, account or scope before a change.
 *
 * @param mind warning for the operator; called only before the question
 * @throws {@link CmkError} `ConfirmationWrong`
 */
export async function confirmName(
  what: string,
  name: string,
  yes: boolean,
  ask: Ask,
  mind: () => Promise<string> | string = () => '',
): Promise<void> {
  if (yes) return;

  const question = async (): Promise<string> => {
    const warning = await mind();
    return `${warning === '' ? '' : `${warning}\n`}This will ${what} ${name}; --dry-run shows the effect. Type ${name} to continue: `;
  };
  const typed = await askBeforeChange(`${what} ${name}`, ask, question);
  if (typed.toLowerCase() === name.toLowerCase()) return;

  throw new CmkError(
    'ConfirmationWrong',
    'The answer does not match the name; nothing was changed.',
    `Type ${name}, or add --yes.`,
  );
}

/** Asks before a change. @throws {@link CmkError} `ConfirmationWrong` without a terminal */
export async function askBeforeChange(
  what: string,
  ask: Ask,
  question: () => Promise<string> | string,
): Promise<string> {
  if (ask) return (await ask(await question())).trim();
  throw new CmkError(
    'ConfirmationWrong',
    `This would ${what}, but no terminal is available to confirm it; nothing was changed.`,
    'Add --yes.',
  );
}
