import { Option } from 'commander';
import type { DrillStep } from '../procedures/drill/drill-step.ts';
import type { CmkCommand } from '../terminal/command.ts';
import { parseSeconds, toOptionParser } from '../terminal/options.ts';
import type { Output } from '../terminal/output.ts';

const ABOUT = `
Needs CMK_VAULTS and AzureWebJobsStorage__accountName as the app has them. With
dual control, the command waits for a second person, who restores the key by the
page, the API or the printed command. After an interruption run it again: it
first restores the key. Alerts and notifications come as in an incident.`;

export function addDrillCommands(program: CmkCommand): void {
  const drill = program
    .command('drill')
    .description('prove break-glass on a key and an account that exist for that alone')
    .summary('proves break-glass before an incident: ensure, run');
  const named = (name: string): CmkCommand =>
    drill
      .command(name)
      .argument('<key>', 'name, <vault>/<name>, or identifier https://<vault>.vault.azure.net/keys/<key>')
      .changing()
      .inVault('its vault');

  addEnsure(named('ensure'));
  addRun(named('run'));
}

function addEnsure(command: CmkCommand): void {
  type Options = { account: string; identity: string; location?: string; resourceGroup?: string; waitSeconds: number };

  command
    .waiting()
    .inGroup('for the account and its identity')
    .description('make a key, an account and a file share for drills; tags no existing key or account')
    .requiredOption('--account <account>', 'name of the storage account')
    .option('--identity <identity>', 'user-assigned identity of the account', 'id-cmk-drill')
    .changes(async (operation, options: Options, name) => {
      const { ensureDrill } = await import('../procedures/drill/drill-ensure.ts');
      return ensureDrill(await command.cli.key(name), options, operation);
    });
}

interface RunOptions {
  readonly reason?: string;
  readonly ticket?: string;
  readonly wait: number;
  readonly dryRun?: boolean;
}

function addRun(command: CmkCommand): void {
  const wait = new Option('--wait <duration>', 'longest wait for each proof, and for the second person');

  command
    .addOption(wait.argParser(toOptionParser(parseSeconds)).default(600, 'PT10M'))
    .description('rotate, revoke and restore the key of drills, with the time of each step to its proof')
    .addHelpText('after', ABOUT)
    .changes(async (operation, { reason = 'Drill', ticket, wait: waitSeconds }: RunOptions, name) => {
      const { runDrill } = await import('../procedures/drill/drill-run.ts');
      const options = { reason, ticket, waitSeconds, app: await command.cli.appRecord() };
      return runDrill(await command.cli.key(name), options, operation);
    }, showSteps);
}

function showSteps(
  { passed, steps }: { readonly passed: boolean; readonly steps: readonly DrillStep[] },
  output: Output,
  { dryRun }: RunOptions,
): void {
  output.checks(
    steps.map(({ step, passed: hasPassed, changedAfter, provenAfter, detail }) => {
      const times = [
        changedAfter === undefined ? [] : [`changed after ${changedAfter.toFixed(1)} s`],
        provenAfter === undefined ? [] : [`proved after ${provenAfter.toFixed(1)} s`],
      ];
      return { check: step, state: hasPassed ? 'ok' : 'failed', detail: [...times.flat(), detail].join(', ') };
    }),
  );
  output.incompleteIf(!passed && !dryRun);
}
