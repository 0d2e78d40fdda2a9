import { app, type HttpResponseInit } from '@azure/functions';
import { answerCalls, refusalLog } from '../api/answer-call.ts';
import { createOpenApiDocument } from '../api/openapi.ts';
import { servePage } from '../api/page/serve-page.ts';
import { ROUTES } from '../api/routes.ts';
import { createJsonResponse } from '../http/answers.ts';
import type { Settings } from '../settings/settings.ts';
import { createLogOf, getAvailableServices, getServices } from './available-services.ts';

// The host's own keys do not authenticate a user: the app checks the token.
const OPEN = { authLevel: 'anonymous' } as const;

for (const route of ROUTES) {
  app.http(route.id, {
    ...OPEN,
    methods: [route.method],
    route: `api${route.path}`,
    handler: answerCalls(route, { logOf: createLogOf, services: getAvailableServices }),
  });
}

/** Cached, since generating the document takes tens of milliseconds. */
let document: HttpResponseInit | undefined;

/** Open to all callers: the document describes the API and has no state. */
app.http('openApi', {
  ...OPEN,
  methods: ['GET'],
  route: 'api/openapi.json',
  handler: () => {
    document ??= createJsonResponse(200, createOpenApiDocument(ROUTES));
    return document;
  },
});

/** Open to all callers: the page has no data, and calls the API with its user's token. */
app.http('page', {
  ...OPEN,
  methods: ['GET'],
  // The root: an optional parameter that must be empty (Azure/Azure-Functions#2473).
  route: '{ignored:maxlength(0)?}',
  handler: ({ headers }) => servePage('index.html', settingsOfPage(), headers),
});

app.http('pageFile', {
  ...OPEN,
  methods: ['GET'],
  route: 'page/{file}',
  // The HTML document is available only at the root.
  handler: ({ headers, params: { file = '' } }) =>
    servePage(file === 'index.html' ? '' : file, settingsOfPage(), headers),
});

/** Returns undefined for invalid settings, which every call of the API logs. */
function settingsOfPage(): Settings | undefined {
  try {
    return getServices().settings;
  } catch {
    return undefined;
  }
}

app.hook.appTerminate(() => refusalLog.flush());

/** Sets HSTS for a year on every HTTP answer, including the page and rejections. */
app.hook.postInvocation((context) => {
  const answer = context.result as HttpResponseInit | undefined;
  if (context.invocationContext.options.trigger.type !== 'httpTrigger' || !answer) return;
  const headers = { ...(answer.headers as Record<string, string>), 'strict-transport-security': 'max-age=31536000' };
  context.result = { ...answer, headers };
});
