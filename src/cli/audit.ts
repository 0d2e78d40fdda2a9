import { parseArgs } from 'node:util';
import { AUDIT_CONTAINER } from '../audit/audit-storage-client.ts';
import { operatorCredential } from '../azure/credential.ts';
import { CmkError } from '../errors.ts';
import { type Environment, readStorageSettings } from '../settings/settings.ts';
import { printTrail, readDay, readReceipt, readTrail } from './audit-report.ts';
import { visibleLines } from './visible.ts';

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
export async function main(args: readonly string[], environment: Environment, place: Output): Promise<0 | 1 | 2> {
  const output: Output = {
    log: (line) => place.log(visibleLines(line)),
    error: (line) => place.error(visibleLines(line)),
  };
  try {
    const options = readArguments(args);
    if (options === 'help') {
      output.log(USAGE);
      return 0;
    }
    const { cloud } = readStorageSettings(environment);
    const report = await readTrail(environment, () => operatorCredential(cloud.authorityHost), options);
    if (options.json) output.log(JSON.stringify(report, undefined, 2));
    else printTrail(report, output.log);
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
  const since = from === undefined ? {} : { from: readDay(from) };
  return { container, json, receipts: values.receipt.map(readReceipt), ...since };
}

if (import.meta.main) {
  process.exitCode = await main(process.argv.slice(2), process.env, console);
}
