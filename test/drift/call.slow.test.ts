import { describe, expect, it } from 'vitest';
import { DRIFT_STARTED, showReport, startDriftCheck } from '../../src/api/drift.ts';
import { LONGEST_MINUTES, type RunningCheck } from '../../src/drift/report/drift-run.ts';
import { runDriftCheck } from '../../src/drift/run-drift-check.ts';
import { HttpProblem } from '../../src/http/problem.ts';
import { eventually } from '../support/eventually.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const MINUTE_MS = 60_000;

const bodyOf = ({ body }: { body?: unknown }) => JSON.parse(String(body)) as Record<string, unknown>;

/** What is answered for a report, as another instance of the app answers, which runs no check itself. */
async function asked(id: string): Promise<{ status: number | undefined; reason?: string; nextStep?: string }> {
  try {
    return { status: (await showReport(id, wire.services())).status };
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    const { status, reason, nextStep } = error;
    return { status, reason, nextStep };
  }
}

function check(id: string, change: Partial<RunningCheck> = {}): RunningCheck {
  return { id, startedOn: wire.azure.clock.now().toISOString(), by: 'operator', caller: 'other-operator', ...change };
}

describe('a drift check that takes longer than its caller waits', () => {
  it('A drift check that takes longer than its caller waits is answered 202 with the address of its report', async () => {
    const services = wire.services();
    const answer = await startDriftCheck({ id: 'slow', caller: 'operator' }, services, wire.log, 0);

    expect(answer).toMatchObject({ status: 202, headers: { location: '/api/drift/slow', 'retry-after': '10' } });
    expect(bodyOf(answer)).toMatchObject({ id: 'slow', state: 'running', by: 'operator', caller: 'operator' });
    expect(DRIFT_STARTED.parse(bodyOf(answer))).toEqual(bodyOf(answer));

    // Asked for meanwhile, it is under way.
    expect((await showReport('slow', services)).status).toBe(202);

    const done = await eventually('the report', async () => {
      const shown = await showReport('slow', services);
      return shown.status === 200 && shown;
    });
    expect(JSON.parse(String(done.body))).toMatchObject({ id: 'slow', by: 'operator', caller: 'operator' });

    await eventually('nothing is left of it but its report', async () => {
      return (await services.driftStorage.begun('slow')) === undefined;
    });
  });

  it('A drift check that runs is joined by a later call: one check runs, and both callers get its report', async () => {
    const services = wire.services();
    const ids: string[] = [];
    const counted = {
      ...services,
      driftStorage: {
        ...services.driftStorage,
        begin: (begun: RunningCheck) => {
          ids.push(begun.id);
          return services.driftStorage.begin(begun);
        },
      },
    };

    const answers = await Promise.all(
      ['first', 'second'].map((id) => startDriftCheck({ id, caller: 'operator' }, counted, wire.log, 10 * MINUTE_MS)),
    );
    expect(answers.map(bodyOf)).toMatchObject([{ id: 'first' }, { id: 'first' }]);
    expect(ids).toEqual(['first']);
  });

  it('A drift check is shown as running by every instance, with start and caller, for as long as it can take', async () => {
    const begun = check('elsewhere');
    await wire.services().driftStorage.begin(begun);
    const answer = await showReport('elsewhere', wire.services());
    expect(answer).toMatchObject({ status: 202, headers: { location: '/api/drift/elsewhere' } });
    expect(bodyOf(answer)).toEqual({ ...begun, location: '/api/drift/elsewhere', state: 'running' });
    wire.azure.clock.advance((LONGEST_MINUTES.operator - 1) * MINUTE_MS);
    expect(await asked('elsewhere')).toEqual({ status: 202 });
  });

  it('A drift check is reported as lost after its time limit, with the advice to start another', async () => {
    await wire.services().driftStorage.begin(check('killed'));
    wire.azure.clock.advance(LONGEST_MINUTES.operator * MINUTE_MS + 1);

    const lost = { status: 410, reason: 'DriftCheckLost', nextStep: expect.stringContaining('POST /api/drift') };
    expect(await asked('killed')).toEqual(lost);

    // A check after it does not make it unknown, not for a day.
    await runDriftCheck({ id: 'next', by: 'timer' }, wire.services({ CMK_AUTOFIX: 'none' }), wire.log);

    expect(await asked('killed')).toEqual(lost);
    expect(await asked('next')).toEqual({ status: 200 });

    wire.azure.clock.advance(24 * 60 * MINUTE_MS);
    await runDriftCheck({ id: 'later', by: 'timer' }, wire.services({ CMK_AUTOFIX: 'none' }), wire.log);

    expect(await asked('killed')).toMatchObject({ status: 404, reason: 'NoDriftReport' });
  });

  it('A drift check is reported as lost at once when it is known that no report will come', async () => {
    const services = wire.services({ CMK_AUTOFIX: 'none' });
    const { driftStorage } = services;
    const full = async (): Promise<never> => {
      throw Object.assign(new Error('No room.'), { statusCode: 507, code: 'InsufficientStorage' });
    };
    const broken = { ...services, driftStorage: { ...driftStorage, write: full } };

    await runDriftCheck({ id: 'unwritten', by: 'timer' }, broken, wire.log);

    expect(await asked('unwritten')).toMatchObject({ status: 410, reason: 'DriftCheckLost' });
    expect((await driftStorage.begun('unwritten'))?.failure).toContain('InsufficientStorage');

    const unforeseen = {
      ...services,
      get settings(): never {
        throw new TypeError('An unforeseen error.');
      },
    };

    await expect(runDriftCheck({ id: 'unforeseen', by: 'timer' }, unforeseen, wire.log)).rejects.toThrow(TypeError);
    expect(await asked('unforeseen')).toMatchObject({ status: 410, reason: 'DriftCheckLost' });
  });
});

describe('an unknown report', () => {
  it.each(['no-such-report', '../reports/x', 'a/b', '%2e%2e', 'x'.repeat(101), ''])(
    'The call for an unknown report is answered 404: %j',
    async (id) => {
      expect(await asked(id)).toMatchObject({ status: 404, reason: 'NoDriftReport' });
    },
  );
});
