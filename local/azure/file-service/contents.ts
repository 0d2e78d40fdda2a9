import type { FileShare } from '../world.ts';

/** The files of each share. A file that no client wrote has its own name as content. */
const contents = new WeakMap<FileShare, Map<string, Buffer>>();

export function readFile(share: FileShare, name: string): Buffer | undefined {
  if (!share.files.includes(name)) return undefined;
  return contents.get(share)?.get(name) ?? Buffer.from(name);
}

/** Creates a file of `length` zero bytes, or replaces it. */
export function createFile(share: FileShare, name: string, length: number): void {
  if (!share.files.includes(name)) share.files.push(name);
  const written = contents.get(share) ?? new Map<string, Buffer>();
  written.set(name, Buffer.alloc(length));
  contents.set(share, written);
}

/** Writes bytes at `offset`; false if the file does not exist or is too short. */
export function writeRange(share: FileShare, name: string, offset: number, bytes: Buffer): boolean {
  const file = readFile(share, name);
  if (!file || offset + bytes.length > file.length) return false;
  const copy = Buffer.from(file);
  bytes.copy(copy, offset);
  const written = contents.get(share) ?? new Map<string, Buffer>();
  written.set(name, copy);
  contents.set(share, written);
  return true;
}

export function deleteFile(share: FileShare, name: string): boolean {
  const index = share.files.indexOf(name);
  if (index < 0) return false;
  share.files.splice(index, 1);
  contents.get(share)?.delete(name);
  return true;
}
