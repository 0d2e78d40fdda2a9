import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The file of a module, for a process or a bundler: TypeScript in this repository, JavaScript in the package.
 *
 * @param path from the module that asks, without an ending
 * @param asks `import.meta.url` of the module that asks
 */
export function moduleBeside(path: string, asks: string): string {
  return fileURLToPath(new URL(path + extname(asks), asks));
}
