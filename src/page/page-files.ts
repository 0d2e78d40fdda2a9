import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** A file of the page, ready to send. */
export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly gzipped: Uint8Array;
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Folder beside the bundled app, which `scripts/bundle.ts` fills. */
const FOLDER = join(import.meta.dirname, 'page');

let files: ReadonlyMap<string, PageFile> | undefined;

/** Files of the page by name, read and compressed at first use. Empty: this build has no page. */
export function pageFiles(): ReadonlyMap<string, PageFile> {
  files ??= readFiles(FOLDER);
  return files;
}

function readFiles(folder: string): ReadonlyMap<string, PageFile> {
  const found = new Map<string, PageFile>();
  for (const name of namesIn(folder)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const bytes = readFileSync(join(folder, name));
    found.set(name, { type, bytes, gzipped: gzipSync(bytes, { level: 9 }) });
  }
  return found;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
