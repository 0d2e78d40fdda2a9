import type { Command } from 'commander';
import { CmkError } from '../../errors.ts';
import { REASONS, type Reason } from '../../reasons.ts';
import { compareText } from '../../text.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';

/** Explanation of a reason code. */
interface ExplainedReason {
  readonly reason: Reason;
  readonly message: string;
  /** Severity of the drift check with this reason. */
  readonly severity?: string;
  readonly ensures?: string;
  readonly fix?: string;
}

export function addExplainCommand(program: Command, cli: Cli): void {
  program
    .command('explain')
    .argument('[reason]', 'a reason code of a log, report or answer; without one: all codes')
    .description('meaning and fix of a reason code')
    .summary('meaning of a reason code; without one, of all')
    .action(async (text: string | undefined, _options: unknown, command: Command) => {
      if (text === undefined) {
        const all = Object.entries(REASONS).map(([reason, message]) => ({ reason, message }));
        all.sort((a, b) => compareText(a.reason, b.reason));
        return cli.read(command, async () => all, showAll);
      }
      return cli.read(command, () => explainReason(text), showOne);
    });
}

function showAll(reasons: readonly { readonly reason: string; readonly message: string }[], output: Output): ExitCode {
  output.list(['reason', ['MEANS', ({ message }) => message]], reasons);
  return EXIT.ok;
}

function showOne({ reason, message, severity, ensures, fix }: ExplainedReason, output: Output): ExitCode {
  output.text(`${reason}: ${message}`);
  if (severity !== undefined) output.text(`The drift check (${severity}) ensures this: ${ensures}`);
  if (fix !== undefined) output.text(`What to do: ${fix}`);
  return EXIT.ok;
}

async function explainReason(text: string): Promise<ExplainedReason> {
  const reason = (Object.keys(REASONS) as Reason[]).find((one) => one.toLowerCase() === text.toLowerCase());
  if (!reason) {
    const near = Object.keys(REASONS).filter((one) => one.toLowerCase().includes(text.toLowerCase()));
    throw new CmkError(
      'NotFound',
      `The reason "${text}" does not exist.`,
      near.length > 0 ? `Did you mean ${near.slice(0, 5).join(', ')}?` : 'List all reasons: cmk explain',
    );
  }
  const { ALL_CHECKS } = await import('../../drift/checks/checks.ts');
  const check = ALL_CHECKS.find((one) => one.reason === reason);
  const { severity, ensures, fix } = check ?? {};
  return { reason, message: REASONS[reason], ...(check ? { severity, ensures, fix } : {}) } as ExplainedReason;
}
