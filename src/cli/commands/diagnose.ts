import { CmkError } from '../../errors/errors.ts';
import { REASONS, type Reason } from '../../errors/reasons.ts';
import { compareText } from '../../formats/text.ts';
import type { CmkCommand } from '../terminal/command.ts';
import type { Output } from '../terminal/output.ts';

interface ExplainedReason {
  readonly reason: string;
  readonly message: string;
  /** Severity of the drift check with this reason. */
  readonly severity?: string;
  readonly ensures?: string;
  readonly fix?: string;
}

export function addDiagnosis(program: CmkCommand): void {
  program
    .command('explain')
    .argument('[reason]', 'a reason code of a log, report or answer; without one: all codes')
    .description('meaning and fix of a reason code')
    .summary('meaning of a reason code; without one, of all')
    .reads(async (_operation, _options, text?: string) => (text === undefined ? allReasons() : reasonOf(text)), show);

  program
    .command('doctor')
    .description('check sign-in, subscriptions, vaults, rights and settings')
    .ofVaults()
    .reads(
      async (operation, { vault }: { vault: string[] }) => {
        const { cli } = program;
        const { examineInstallation } = await import('../procedures/app/doctor.ts');
        const { createAppOfEnvironment } = await import('../terminal/app-of-environment.ts');
        return examineInstallation(vault, cli.environment, operation, () => createAppOfEnvironment(cli));
      },
      (checks, output) => output.checks(checks),
    );
}

function allReasons(): ExplainedReason[] {
  const all = Object.entries(REASONS).map(([reason, message]) => ({ reason, message }));
  return all.sort((a, b) => compareText(a.reason, b.reason));
}

async function reasonOf(text: string): Promise<ExplainedReason> {
  const reason = (Object.keys(REASONS) as Reason[]).find((one) => one.toLowerCase() === text.toLowerCase());
  if (reason) {
    const { ALL_CHECKS } = await import('../../drift/checks/checks.ts');
    const { severity, ensures, fix } = ALL_CHECKS.find((one) => one.reason === reason) ?? {};
    return { reason, message: REASONS[reason], ...(severity ? { severity, ensures, fix } : {}) } as ExplainedReason;
  }
  const near = Object.keys(REASONS).filter((one) => one.toLowerCase().includes(text.toLowerCase()));
  const nextStep = near.length > 0 ? `Did you mean ${near.slice(0, 5).join(', ')}?` : 'List all reasons: cmk explain';
  throw new CmkError('NotFound', `The reason "${text}" does not exist.`, nextStep);
}

function show(explained: ExplainedReason | readonly ExplainedReason[], output: Output): void {
  if (Array.isArray(explained)) {
    output.list<ExplainedReason>(['reason', ['MEANS', ({ message }) => message]], explained);
    return;
  }
  const { reason, message, severity, ensures, fix } = explained as ExplainedReason;
  output.text(`${reason}: ${message}`);
  if (severity !== undefined) output.text(`The drift check (${severity}) ensures this: ${ensures}`);
  if (fix !== undefined) output.text(`What to do: ${fix}`);
}
