import { app, type HttpResponseInit } from '@azure/functions';
import { jsonResponse } from '../http/json-response.ts';
import { openApiDocument } from '../open-api.ts';

/** To make it takes tens of milliseconds, and it is the same each time. */
let answer: HttpResponseInit | undefined;

/** Open to anyone: it says how to call the API, and nothing of what is behind it. */
app.http('openApi', {
  methods: ['GET'],
  route: 'api/openapi.json',
  authLevel: 'anonymous',
  handler: () => {
    answer ??= jsonResponse(200, openApiDocument());
    return answer;
  },
});
