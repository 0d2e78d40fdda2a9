import { app } from '@azure/functions';
import { showFindings } from '../drift/http/drift-api.ts';
import { findingsQuery } from '../drift/http/findings-page.ts';
import { api } from './api.ts';

app.http('driftFindings', {
  methods: ['GET'],
  route: 'api/drift/{report}/findings',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', ({ request, services }) =>
    showFindings(request.params.report ?? '', findingsQuery(request.query), services),
  ),
});
