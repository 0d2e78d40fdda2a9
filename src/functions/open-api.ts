import { app } from '@azure/functions';
import { jsonResponse } from '../http/json-response.ts';
import { openApiDocument } from '../open-api.ts';

/** Open to anyone: it says how to call the API, and nothing of what is behind it. */
app.http('openApi', {
  methods: ['GET'],
  route: 'api/openapi.json',
  authLevel: 'anonymous',
  handler: async () => jsonResponse(200, openApiDocument()),
});
