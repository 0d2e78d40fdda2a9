import { readFile, rename, writeFile } from 'node:fs/promises';

/** Writes variables as shell `export` lines. Only the owner may read the file, since it has a secret. */
export async function writeEnvFile(path: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, formatEnv(variables), { mode: 0o600 });
  await rename(temporary, path); // a shell that sources the file gets the old or the new one, never a part
}

/** @throws if the file is missing */
export async function readEnvFile(path: string): Promise<Record<string, string>> {
  return parseEnv(await readFile(path, 'utf8'));
}

/**
 * Omits settings whose names a shell rejects, such as `AzureWebJobs.driftCheck.Disabled`: dash and zsh would stop
 * there.
 */
export function formatEnv(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .filter(([name]) => /^[A-Za-z_]\w*$/.test(name))
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", String.raw`'\''`)}'\n`)
    .join('');
}

/** Reads the output of {@link formatEnv}, and no other shell syntax. */
export function parseEnv(text: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [, name = '', quoted = ''] of text.matchAll(/^export (\w+)='((?:[^']|'\\'')*)'$/gm)) {
    variables[name] = quoted.replaceAll(String.raw`'\''`, "'");
  }
  return variables;
}
