import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { findCloud } from '../src/azure/cloud.ts';
import { createOperatorCredential } from '../src/azure/credential.ts';
import { createJsonSender } from '../src/azure/json-sender.ts';
import { LIMITS } from '../src/azure/limits.ts';
import { createAzure } from '../src/cli/procedures/operator-azure.ts';
import { Interruption, listenForInterruptions } from '../src/cli/terminal/interruption.ts';
import { Output } from '../src/cli/terminal/output.ts';
import { createServices } from '../src/services.ts';
import { printRows, prove } from './prove/prove.ts';
import { createSite } from './prove/site.ts';

const USAGE = `npm run prove -- --subscription <id> [options]

Proves on Azure what the tests prove on the local Azure, with your own sign-in
and no deployed app: makes a vault, two keys and three storage accounts, rotates,
moves, revokes, restores, checks, and deletes everything, also after Ctrl-C. It
needs Owner (or Contributor and User Access Administrator) on the resource group.
The vault stays soft-deleted, since Storage requires purge protection.

  --subscription <id>      id of the subscription (AZURE_SUBSCRIPTION_ID)
  --resource-group <name>  an existing group (default: one of its own, deleted at the end)
  --location <region>      default: that of the group, or westeurope
  --wait <seconds>         longest wait for a role or for the file service (default: 600)
  --delete <id>            only delete what a run with this id left
  --cloud <name>           AzureCloud, AzureUSGovernment or AzureChinaCloud`;

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const RUN_ID = /^[0-9a-f]{8}$/;

class UsageError extends Error {}

function readOptions(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      subscription: { type: 'string', default: process.env.AZURE_SUBSCRIPTION_ID },
      'resource-group': { type: 'string' },
      location: { type: 'string' },
      wait: { type: 'string', default: '600' },
      delete: { type: 'string' },
      cloud: { type: 'string', default: process.env.AZURE_CLOUD ?? 'AzureCloud' },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  });
  return values;
}

async function main(args: string[]): Promise<number> {
  const values = readOptions(args);
  if (values.help) {
    console.log(USAGE);
    return 0;
  }

  const { subscription = '', location, delete: left } = values;
  const waitSeconds = Number(values.wait);
  const cloud = findCloud(values.cloud);

  if (!GUID.test(subscription)) throw new UsageError('--subscription is the id of a subscription.');
  if (!(waitSeconds >= 0)) throw new UsageError('--wait is a number of seconds.');
  if (left !== undefined && !RUN_ID.test(left)) throw new UsageError('--delete is the id of a run: eight digits.');
  if (!cloud) throw new UsageError(`The cloud ${values.cloud} is unknown.`);

  const runId = left ?? randomBytes(4).toString('hex');
  const site = createSite(runId, subscription.toLowerCase(), values['resource-group']);
  const signal = listenForInterruptions();
  const credential = createOperatorCredential(cloud.authorityHost);
  const azure = createAzure(credential, cloud, subscription);
  const arm = { azure, send: createJsonSender(credential, cloud.resourceManagerScope, LIMITS.commandLine) };
  const output = new Output(process.stdout.isTTY ? 'terminal' : 'lines', process.stdout, process.stderr, process.env);

  output.text(`Run ${runId}. If it is killed: npm run prove -- ${formatPlace(site)} --delete ${runId}\n`);

  const services = (environment: Parameters<typeof createServices>[0]) =>
    createServices(environment, credential, () => {});
  const only = left === undefined ? undefined : 'delete';

  const proved = await prove(site, { location, waitSeconds, services, signal, only }, { arm, azure, output });

  printRows(proved, output);

  if (signal.reason instanceof Interruption) return signal.reason.exitCode;
  return proved.isComplete ? 0 : 1;
}

function formatPlace({ subscription, resourceGroup, isOwnGroup }: ReturnType<typeof createSite>): string {
  return `--subscription ${subscription}${isOwnGroup ? '' : ` --resource-group ${resourceGroup}`}`;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  console.error(error instanceof Error ? error.message : error);
  if (isUsage) console.error(`\n${USAGE}`);
  process.exitCode = isUsage ? 2 : 1;
}
// A request that hangs must not keep the process alive.
process.exit();
