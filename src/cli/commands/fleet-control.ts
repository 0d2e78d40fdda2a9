import type { Command } from 'commander';
import { TEXT_LENGTHS } from '../../http/readable.ts';
import type { ManagedKey } from '../../keys/managed-vaults.ts';
import type { Operator } from '../../operations/operator.ts';
import type { ControlPorts, Ordered } from '../../orders/order-pause.ts';
import { parseMoment } from '../../time/duration.ts';
import { inAppStorage } from '../app-storage-failures.ts';
import type { Cli, GlobalOptions } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { inVault, parsed, text } from '../options.ts';
import type { Output } from '../output.ts';

interface Said {
  readonly vault?: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly until?: string;
}

const WHERE = `
It is written into the app's storage (AzureWebJobsStorage__accountName, with the
role Storage Blob Data Contributor), and into the audit trail.`;

/** `pause` and `resume`, beside the other commands about rotations. */
export function addControlCommands(rotation: Command, cli: Cli): void {
  said(rotation.command('pause [key]'))
    .description('have all moves and rotations wait, of a key or of all; break-glass is not paused')
    .option('--until <time>', 'ends by itself then (2026-12-01T06:00Z), or after so long (PT4H)')
    .action((name: string | undefined, options: Said, command: Command) =>
      order(cli, command, name, options, async ({ until, ...what }, operator, ports) => {
        const { pauseRotations } = await import('../../operations/rotation/rotation-status.ts');
        const end = until === undefined ? undefined : parseMoment(until, ports.now());
        return pauseRotations({ ...what, until: end }, operator, ports);
      }),
    );
  said(rotation.command('resume [key]'))
    .description('end a pause; with a key, its rotation goes on whatever holds it')
    .action((name: string | undefined, options: Said, command: Command) =>
      order(cli, command, name, options, async ({ until: _, ...what }, operator, ports) => {
        const { resumeRotations } = await import('../../operations/rotation/rotation-status.ts');
        return resumeRotations(what, operator, ports);
      }),
    );
}

function said(command: Command): Command {
  return inVault(command, 'the vault of the key')
    .requiredOption('--reason <text>', 'why, for the audit trail', parsed(text('--reason', TEXT_LENGTHS.reason)))
    .option('--ticket <number>', 'change or incident number', parsed(text('--ticket', TEXT_LENGTHS.ticket)))
    .addHelpText('after', WHERE);
}

type Order = (
  what: Omit<Said, 'vault'> & { readonly key: ManagedKey | undefined },
  operator: Operator,
  ports: ControlPorts,
) => Promise<Ordered>;

async function order(
  cli: Cli,
  command: Command,
  name: string | undefined,
  { vault, ...options }: Said,
  run: Order,
): Promise<void> {
  const { keyByName } = await import('../../operations/resolve.ts');
  const { rotationAccess } = await import('../../operations/rotation/rotation-access.ts');
  const { CONTROL_CONTAINER } = await import('../../orders/standing-orders-client.ts');
  const globals = command.optsWithGlobals<GlobalOptions>();
  const key = name === undefined ? undefined : keyByName(name, vault, cli.cloud(globals));
  return cli.look(
    command,
    async ({ azure }) => {
      const ports = rotationAccess(cli.environment, azure, () => cli.credential(globals));
      const operator = await azure.operator();
      const place = {
        what: `container ${CONTROL_CONTAINER}`,
        url: "the app's storage",
        role: 'Storage Blob Data Contributor',
      };
      return inAppStorage(place, () => run({ ...options, key }, operator, ports));
    },
    show,
  );
}

function show({ pauses, ended, audit, warnings }: Ordered, output: Output): ExitCode {
  for (const { key = 'all keys', reason } of ended)
    output.entry({ kind: 'done', text: `The pause of ${key} has ended: ${reason}` });
  if (pauses.length === 0) output.text('Nothing is paused.');
  showPauses(pauses, output);
  if (audit !== 'written') output.entry({ kind: 'note', text: `Not in the audit trail: ${audit}` });
  for (const warning of warnings) output.entry({ kind: 'note', text: warning });
  return audit === 'written' && warnings.length === 0 ? EXIT.ok : EXIT.incomplete;
}

export function showPauses(pauses: Ordered['pauses'], output: Output): void {
  for (const { key = 'all keys', reason, since, until } of pauses) {
    output.text(`Paused: ${key} since ${since}${until ? ` until ${until}` : ''}: ${reason}`);
  }
}
