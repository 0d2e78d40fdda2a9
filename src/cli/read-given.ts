import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CmkError } from '../errors.ts';

/** Why a file cannot be read, by Node's codes. */
const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
};

/** A file that an option names. @throws {@link CmkError} `ArgumentInvalid` */
export async function readGiven(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = UNREADABLE[code] ?? message;
    throw new CmkError('ArgumentInvalid', `${path} cannot be read: ${why}.`, 'Check path and rights.', {
      cause: error,
    });
  }
}

/** The same as text; `-`: standard input. */
export async function readGivenText(path: string): Promise<string> {
  return path === '-' ? text(process.stdin) : (await readGiven(path)).toString('utf8');
}
