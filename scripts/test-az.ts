import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// npm run test:az [-- vitest options]
// Runs the article's own az commands, and those that findings of the drift check print, against the local Azure. It installs nothing: `az` has to be on PATH.

/** The Azure CLI that the tests were made with; older ones may lack what Debian's packages of 2.45 lack. */
const OLDEST = [2, 60] as const;

function fail(message: string): never {
  console.error(`test:az cannot run: ${message}`);
  process.exit(2);
}

const environment = { ...process.env, AZURE_CORE_COLLECT_TELEMETRY: 'false', PYTHONWARNINGS: 'ignore' };
const version = spawnSync('az', ['version', '--output', 'json'], { encoding: 'utf8', env: environment });
if (version.error) {
  fail(
    'there is no `az` on PATH. Install the Azure CLI (https://learn.microsoft.com/cli/azure/install-azure-cli), or put a folder that has it first on PATH.',
  );
}
const found = /"azure-cli": "(\d+)\.(\d+)[^"]*"/.exec(version.stdout);
if (version.status !== 0 || !found) {
  fail(`\`az version\` does not work here (exit ${version.status}):\n${version.stderr.trim()}`);
}
const [, major = '0', minor = '0'] = found;
if (Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])) {
  fail(
    `az ${major}.${minor} is too old. Debian 12's package of 2.45, for one, is broken: its \`az keyvault key\` and \`az role\` end in a Python error before they ask anything. Put az ${OLDEST.join('.')} or newer first on PATH.`,
  );
}
// The commands that Debian's packages break, asked for their help: that loads what they need.
const broken = spawnSync('az', ['keyvault', 'key', 'create', '--help'], { encoding: 'utf8', env: environment });
if (broken.status !== 0) fail(`\`az keyvault key\` is broken here:\n${broken.stderr.trim()}`);

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));
const args = [vitest, 'run', '--config', 'vitest.az.config.ts', ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root });
process.exitCode = status ?? 1;
