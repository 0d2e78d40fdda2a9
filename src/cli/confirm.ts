import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { CmkError } from '../errors.ts';
import { Interruption } from './interruption.ts';

/** Asks the operator at the terminal; undefined: there is no terminal. */
export type Ask = ((question: string) => Promise<string>) | undefined;

/** Asks on the terminal, when there is one. */
export function terminalAsk(): Ask {
  return process.stdin.isTTY && process.stderr.isTTY ? askOn(process.stdin, process.stderr) : undefined;
}

/** Asks on these streams of a terminal. Without a listener of ours, Ctrl-C and Ctrl-D would leave the question open. */
export function askOn(input: Readable, output: Writable): NonNullable<Ask> {
  return async (question) => {
    const terminal = createInterface({ input, output, terminal: true });
    try {
      const answer = await new Promise<string | Interruption>((resolve, reject) => {
        terminal.once('SIGINT', () => resolve(new Interruption(130)));
        terminal.once('close', () => resolve(''));
        terminal.question(question).then(resolve, reject);
      });
      if (answer === '' || answer instanceof Interruption) output.write('\n'); // the cursor stands behind the question
      if (answer instanceof Interruption) throw answer;
      return answer;
    } finally {
      terminal.close();
    }
  };
}

/**
 * Has the name of a key, or an account, typed before access changes.
 *
 * @param mind what the operator has to know; called only where the name is asked for
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
    return `${warning === '' ? '' : `${warning}\n`}This will ${what} ${name}; --dry-run shows what that means. Type ${name} to continue: `;
  };
  const typed = await askBefore(`${what} ${name}`, ask, question);
  if (typed.toLowerCase() === name.toLowerCase()) return;
  throw new CmkError('ConfirmationWrong', 'That is not the name; nothing was changed.', `Type ${name}, or add --yes.`);
}

/** What is typed before something changes. @throws {@link CmkError} `ConfirmationWrong` without a terminal */
export async function askBefore(what: string, ask: Ask, question: () => Promise<string> | string): Promise<string> {
  if (ask) return (await ask(await question())).trim();
  throw new CmkError(
    'ConfirmationWrong',
    `This would ${what}, and there is no terminal to confirm it; nothing was changed.`,
    'Add --yes.',
  );
}
