import { describe, expect, it } from 'vitest';
import { showReport, startDriftCheck } from '../../src/drift/call.ts';
import { eventually } from '../support/eventually.ts';
import { useWire } from '../support/wire.ts';

const wire = useWire();
const headers = new Headers();

describe('a check that takes longer than its caller waits', () => {
  it('answers 202 with where the report will be, goes on, and is there in the end', async () => {
    const services = wire.services();
    const answer = await startDriftCheck({ id: 'slow', caller: 'operator', headers }, services, wire.log, 0);
    expect(answer).toMatchObject({ status: 202, headers: { location: '/api/drift/slow', 'retry-after': '10' } });
    // Asked for meanwhile, it is under way.
    expect((await showReport('slow', headers, services)).status).toBe(202);
    const done = await eventually('the report', async () => {
      const shown = await showReport('slow', headers, services);
      return shown.status === 200 && shown;
    });
    expect(JSON.parse(String(done.body))).toMatchObject({ id: 'slow', by: 'operator', caller: 'operator' });
  });
});
