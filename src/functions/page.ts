import { app, type HttpResponseInit } from '@azure/functions';
import { pageConfig } from '../page/page-config.ts';
import { pageFiles } from '../page/page-files.ts';
import { serveDocument, serveFile } from '../page/serve-page.ts';
import type { Settings } from '../settings/settings.ts';
import { services } from './available-services.ts';

/** Open to anyone: the page holds nothing, and asks the API with the token of whoever signs in. */
app.http('page', {
  methods: ['GET'],
  // The root: a parameter that may be left out, and may not be longer than nothing (Azure/Azure-Functions#2473).
  route: '{ignored:maxlength(0)?}',
  authLevel: 'anonymous',
  handler: ({ headers }) => {
    const file = pageFiles().get('index.html');
    const settings = settingsOfPage();
    return file && settings ? serveDocument(file, pageConfig(settings), headers) : notThere();
  },
});

app.http('pageFile', {
  methods: ['GET'],
  route: 'page/{file}',
  authLevel: 'anonymous',
  handler: ({ headers, params }) => {
    const file = params.file === 'index.html' ? undefined : pageFiles().get(params.file ?? '');
    const settings = settingsOfPage();
    if (!file || !settings) return notThere();
    const isDocument = file.type.startsWith('text/html');
    return isDocument ? serveDocument(file, pageConfig(settings), headers) : serveFile(file, headers);
  },
});

/** Undefined where there is no page: it is off, or the settings are wrong, which every call of the API says in the log. */
function settingsOfPage(): Settings | undefined {
  try {
    const { settings } = services();
    return settings.page.on ? settings : undefined;
  } catch {
    return undefined;
  }
}

function notThere(): HttpResponseInit {
  return {
    status: 404,
    headers: { 'content-type': 'text/plain' },
    body: 'There is no page here. The API is at /api.\n',
  };
}
