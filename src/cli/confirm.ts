import { createInterface } from 'node:readline/promises';
import { CmkError } from '../errors.ts';

/** How a question is put to whoever sits there; undefined: nobody does. */
export type Ask = ((question: string) => Promise<string>) | undefined;

/** Asks on the terminal, when there is one. */
export function terminalAsk(): Ask {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await terminal.question(question);
    } finally {
      terminal.close();
    }
  };
}

/**
 * Has the key's name typed before access to it changes.
 *
 * @throws {@link CmkError} `ConfirmationWrong`
 */
export async function confirmKey(what: string, name: string, yes: boolean, ask: Ask): Promise<void> {
  if (yes) return;
  if (!ask) {
    throw new CmkError(
      'ConfirmationWrong',
      `This would ${what} ${name}, and nobody is there to confirm it.`,
      'Add --yes.',
    );
  }
  const answer = await ask(`This will ${what} ${name}. Type ${name} to go on: `);
  if (answer.trim().toLowerCase() === name.toLowerCase()) return;
  throw new CmkError('ConfirmationWrong', 'That is not the name; nothing was changed.', `Type ${name}, or add --yes.`);
}
