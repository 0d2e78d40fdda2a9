import { app } from '@azure/functions';
import { showTrend } from '../overview/http/trend-api.ts';
import { api } from './api.ts';

app.http('trend', {
  methods: ['GET'],
  route: 'api/trend',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', ({ request, services }) => showTrend(request.headers, services)),
});
