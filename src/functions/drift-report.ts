import { app } from '@azure/functions';
import { showHistory, showReport, startDriftCheck } from '../drift/http/drift-api.ts';
import { HttpProblem } from '../http/problem.ts';
import { api } from './api.ts';

app.http('driftReport', {
  methods: ['GET', 'POST'],
  route: 'api/drift/{report?}',
  authLevel: 'anonymous',
  handler: api(
    'CmkKey.Read',
    async ({ request, caller, services, log, correlationId, requireFor }) => {
      const { report } = request.params;
      const starts = request.method === 'POST' && report === undefined;
      // A check fixes what CMK_AUTOFIX names: more than looking.
      requireFor(
        starts
          ? { role: 'Cmk.Operate', act: 'change', key: undefined }
          : { role: 'CmkKey.Read', act: 'read', key: undefined },
      );
      if (starts) {
        return startDriftCheck({ id: correlationId, caller: caller.objectId }, services, log);
      }
      if (request.method === 'POST') {
        const nextStep = 'Start a check with POST /api/drift.';
        throw new HttpProblem(405, 'CallRefused', 'A report is made by a check, not posted.', nextStep, {
          headers: { allow: 'GET' },
        });
      }
      return report === 'history' ? showHistory(services) : showReport(report, services);
    },
    undefined,
    'later',
  ),
});
