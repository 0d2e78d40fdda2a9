import { app } from '@azure/functions';
import { showTrend } from '../drift/http/trend-api.ts';
import { TrendReader } from '../drift/trend/read-trend.ts';
import { api } from './api.ts';

/** Of this instance. */
const reader = new TrendReader();

app.http('trend', {
  methods: ['GET'],
  route: 'api/trend',
  authLevel: 'anonymous',
  handler: api('CmkKey.Read', ({ request, services }) => showTrend(request.headers, reader, services)),
});
