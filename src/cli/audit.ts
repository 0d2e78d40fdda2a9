import { parseArgs } from 'node:util';
import { auditFiles } from '../audit/audit-client.ts';
import { AUDIT_CONTAINER, auditContainer } from '../audit/audit-storage-client.ts';
import { type TrailReport, verifyTrail } from '../audit/verify-trail.ts';
import { operatorCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { type Environment, readStorageSettings } from '../settings.ts';

export const USAGE = `Checks the audit trail: that no record was changed, removed, moved or put in.

  npm run audit -- verify [options]

  --container <name>      container of the trail (default: ${AUDIT_CONTAINER})
  --from <YYYY-MM-DD>     start with that day (UTC), when older files were deleted on purpose
  --receipt <seq>:<hash>  a record that must be there, as the log or an earlier check gave it; may be repeated
  --json                  print the report as JSON

The storage is found as the app finds it: AzureWebJobsStorage (a connection string), or
AzureWebJobsStorage__accountName with your own sign-in (az login) and the role Storage Blob Data Reader.
AZURE_CLOUD selects a sovereign cloud.

Exit code: 0 nothing found, 1 something found, 2 the trail could not be read.`;

export interface Output {
  readonly log: (line: string) => void;
  readonly error: (line: string) => void;
}

/** @returns the exit code */
export async function main(args: readonly string[], environment: Environment, output: Output): Promise<0 | 1 | 2> {
  try {
    const options = readArguments(args);
    if (options === 'help') {
      output.log(USAGE);
      return 0;
    }
    const settings = readStorageSettings(environment);
    const credential = () => operatorCredential(settings.cloud.authorityHost);
    const container = auditContainer(settings, credential, options.container);
    const report = await verifyTrail(auditFiles(container), options);
    if (report.files === 0) throw new Error(`There is no trail in ${container.url}. Is it the app's storage account?`);
    if (options.json) output.log(JSON.stringify(report, undefined, 2));
    else print(report, output);
    return report.findings.length === 0 ? 0 : 1;
  } catch (error) {
    output.error(error instanceof Error ? error.message : String(error));
    if (error instanceof CmkError) output.error(error.nextStep);
    return 2;
  }
}

function readArguments(args: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      container: { type: 'string', default: AUDIT_CONTAINER },
      from: { type: 'string' },
      receipt: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  if (positionals.join(' ') !== 'verify') throw new Error(`The only command is "verify".\n\n${USAGE}`);
  const { container, json, from } = values;
  if (from !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(from)) {
    throw new Error(`--from "${from}" is not a day. Example: --from 2026-11-24`);
  }
  return { container, json, receipts: values.receipt.map(readReceipt), ...(from === undefined ? {} : { from }) };
}

function readReceipt(text: string): { seq: number; hash: string } {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!seq || !hash) throw new Error(`--receipt "${text}" is not <number>:<64 hexadecimal digits>.`);
  return { seq: Number(seq), hash };
}

function print({ findings, records, files, last }: TrailReport, { log }: Output): void {
  for (const { file, line, reason, message } of findings) {
    log(`${file}${line === undefined ? '' : `:${line}`}  ${reason}  ${message}`);
  }
  const found = findings.length === 0 ? 'nothing found' : `${findings.length} found`;
  log(`${count(records, 'record')} in ${count(files, 'file')}, ${found}.`);
  if (last) {
    log(`Last record: ${last.seq}:${last.hash}`);
    log('Keep it elsewhere: given as --receipt, it lets the next check notice a cut-off end.');
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2), process.env, console);
}
