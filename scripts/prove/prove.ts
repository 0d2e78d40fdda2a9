import type { Operation } from '../../src/cli/procedures/operator-azure.ts';
import { explain } from '../../src/cli/terminal/explain.ts';
import type { Output } from '../../src/cli/terminal/output.ts';
import { type Arm, cleanUp, ensureGroup } from './clean-up.ts';
import { Proof, ProofStopped, type Row } from './proof.ts';
import type { Site } from './site.ts';
import { type ProofOptions, runSteps } from './steps.ts';

interface ProveOptions extends Omit<ProofOptions, 'location'> {
  /** Undefined: that of the resource group. */
  readonly location: string | undefined;
  /** Undefined: nothing was made yet. `delete`: an earlier run was killed. */
  readonly only?: 'delete' | undefined;
  readonly signal: AbortSignal;
}

interface Proved {
  readonly passed: number;
  readonly failed: number;
  readonly rows: readonly Row[];
  /** Whether every step ran and passed. */
  readonly isComplete: boolean;
}

/** Proves the app's core on Azure, on resources that it makes and deletes, also after an interruption. */
export async function prove(
  site: Site,
  options: ProveOptions,
  { arm, azure, output }: { readonly arm: Arm; readonly azure: Operation['azure']; readonly output: Output },
): Promise<Proved> {
  const { signal, only } = options;
  const proof = new Proof({ azure }, output, signal);
  let isComplete = true;

  try {
    if (only === undefined) {
      const location = await proof.require('find or make the resource group', async () => {
        const value = await ensureGroup(site, options.location, arm);
        return { saw: `${site.resourceGroup} in ${value}`, value };
      });
      await runSteps(site, { ...options, location: options.location ?? location }, proof);
    }
  } catch (error) {
    isComplete = false;
    if (!(error instanceof ProofStopped)) output.entry({ kind: 'note', text: explainEnd(error, signal) });
  }

  // With a signal of its own: what a run made is deleted also after an interruption.
  const last = new Proof({ azure }, output, new AbortController().signal);
  await last.check('delete everything', async () => {
    const purgedOn = await cleanUp(site, arm);
    return purgedOn === undefined ? 'nothing is left' : describeVault(site, purgedOn);
  });

  const rows = [...proof.rows, ...last.rows];
  const passed = rows.filter((row) => row.passed).length;
  const failed = rows.length - passed;

  if (last.rows.some((row) => !row.passed)) {
    output.entry({ kind: 'note', text: `Something is left: delete it with --delete ${site.runId}` });
  }

  return { passed, failed, rows, isComplete: isComplete && failed === 0 };
}

function explainEnd(error: unknown, signal: AbortSignal): string {
  return signal.aborted ? 'Interrupted: deleting what was made.' : explain(error).message;
}

/** Storage requires purge protection of a vault, and no one can purge such a vault. */
function describeVault({ vault }: Site, purgedOn: string): string {
  return `nothing is left but the soft-deleted vault ${vault.name}: Storage requires purge protection, so Azure purges it, on ${purgedOn.slice(0, 10)}`;
}

/** Prints the table of steps, what differed, and the numbers. */
export function printRows({ rows, passed, failed }: Proved, output: Output): void {
  output.list<Row>(
    [
      'step',
      ['RESULT', (row) => (row.passed ? 'passed' : 'FAILED')],
      ['SECONDS', (row) => row.seconds.toFixed(1)],
      ['DIFFERS FROM THE LOCAL AZURE', (row) => row.differs.join('; ') || 'no'],
    ],
    rows,
  );

  for (const { step, saw } of rows.filter((row) => !row.passed)) output.text(`\n${step}: ${saw}`);

  for (const row of rows) {
    for (const text of row.differs) output.text(`\n${row.step}: ${text}`);
  }

  output.text(`\n${passed} passed, ${failed} failed`);
}
