import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createDriftReportSchema } from '../src/drift/report/report.ts';
import { apiReference, httpFile } from './reference/api.ts';
import { commandLineReference } from './reference/command-line.ts';
import { localAzureReference } from './reference/local-azure.ts';
import { rightsReference } from './reference/rights.ts';
import { settingsReference } from './reference/settings.ts';
import { checksReference, metricsReference, reasonsReference } from './reference/tables.ts';

const FOLDER = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/reference');
/** What stands below it on a page is generated; what stands above it is written by hand. */
export const MARK = '<!-- Everything below is written by `npm run reference`. -->';

/** What is generated below the mark, by page. */
const GENERATORS: Readonly<Record<string, () => string | Promise<string>>> = {
  'api.md': apiReference,
  'command-line.md': commandLineReference,
  'drift-checks.md': checksReference,
  'local-azure.md': localAzureReference,
  'metrics.md': metricsReference,
  'reason-codes.md': reasonsReference,
  'rights-and-cost.md': rightsReference,
  'settings.md': settingsReference,
};
export const PAGES = [...Object.keys(GENERATORS), 'api.http', 'drift-report.schema.json'];

/** A page as it should be: its own text, and the generated part made anew. */
export async function referencePage(name: string): Promise<string> {
  if (name === 'api.http') return httpFile();
  if (name === 'drift-report.schema.json') return `${JSON.stringify(createDriftReportSchema(), null, 2)}\n`;
  const text = await readFile(join(FOLDER, name), 'utf8');
  const at = text.indexOf(MARK);
  const generate = GENERATORS[name];
  if (at < 0 || !generate) throw new Error(`docs/reference/${name} lacks the line ${MARK}`);
  return `${text.slice(0, at)}${MARK}\n\n${(await generate()).trimEnd()}\n`;
}

if (import.meta.main) {
  for (const name of PAGES) await writeFile(join(FOLDER, name), await referencePage(name));
}
