import { ReadCache } from '../azure/read-cache.ts';
import type { Finding } from '../drift/report/report.ts';
import type { ReportStore } from '../drift/store/drift-storage-client.ts';
import type { Rotation } from './rotation-schemas.ts';

export type DeniedMove = NonNullable<Rotation['deniedMoves']>[number];

/** Time to live in milliseconds: `--watch` reads the rotation every few seconds, and the check runs hourly. */
const TTL_MS = 60_000;
/** Maximum number of accounts that a rotation names. */
const MOST_NAMED = 100;

/** Reads which moves Azure Policy would deny, by the newest drift report. */
export class DeniedMoves {
  readonly #reports: Pick<ReportStore, 'newest' | 'details'>;
  readonly #cache = new ReadCache<readonly DeniedMove[]>(TTL_MS);

  constructor(reports: Pick<ReportStore, 'newest' | 'details'>) {
    this.#reports = reports;
  }

  /** Never throws: a failure must not hide the progress of a rotation. */
  async read(): Promise<readonly DeniedMove[]> {
    const { value } = await this.#cache.read('', () => this.#readReport()).catch(() => ({ value: [] }));
    return value;
  }

  async #readReport(): Promise<readonly DeniedMove[]> {
    const report = await this.#reports.newest();
    if (!report?.causes.some(({ reason }) => reason === 'PolicyBlocksMove')) return [];

    return selectDeniedMoves((await this.#reports.details(report))?.findings ?? report.findings);
  }
}

/** An exempt finding counts too: Azure Policy does not know the app's exemptions. */
function selectDeniedMoves(findings: readonly Finding[]): DeniedMove[] {
  return findings
    .filter(({ reason }) => reason === 'PolicyBlocksMove')
    .map(({ resource: account, is: detail, command }) => ({ account, detail, ...(command ? { command } : {}) }));
}

/** Selects the denied moves of the accounts that a key's rotation moves. */
export function selectDeniedOf(
  denied: readonly DeniedMove[],
  isMoved: (account: string) => boolean,
): Pick<Rotation, 'deniedMoves'> {
  const deniedMoves = denied.filter(({ account }) => isMoved(account)).slice(0, MOST_NAMED);
  return deniedMoves.length === 0 ? {} : { deniedMoves };
}
