import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file of a module, for a process or a bundler: TypeScript in this repository, JavaScript in the package.
 *
 * @param path relative to the calling module, without an extension
 * @param asks `import.meta.url` of the calling module
 */
export function moduleBeside(path: string, asks: string): string {
  return fileURLToPath(new URL(path + extname(asks), asks));
}
