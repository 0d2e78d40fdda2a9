import { readdirSync, readFileSync } from 'node:fs';

/** The TypeScript files below a folder of the project, with their text. */
export function sources(folder: string): { file: string; text: string }[] {
  const root = new URL(`../../${folder}/`, import.meta.url);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: readFileSync(new URL(file, root), 'utf8') }));
}
