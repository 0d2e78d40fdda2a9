import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CmkError, messageOf } from '../errors.ts';

/** Reads a file that an option names. @throws {@link CmkError} `ArgumentInvalid` */
export async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const message = `${path} cannot be read: ${messageOf(cause)}.`;
    throw new CmkError('ArgumentInvalid', message, 'Check the path and its permissions.', { cause });
  }
}

/** Reads the file as text; `-`: standard input. */
export async function readGivenText(path: string): Promise<string> {
  return path === '-' ? text(process.stdin) : (await readGiven(path)).toString('utf8');
}
