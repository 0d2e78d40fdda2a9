import { describe, expect, it } from 'vitest';
import { createPageConfig } from '../../src/api/page/page-config.ts';
import { type PageFile, serveDocument, serveFile } from '../../src/api/page/serve-page.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { SETTINGS } from '../../src/settings/settings-table.ts';

const VALID = {
  CMK_VAULTS: SETTINGS.CMK_VAULTS.example,
  AzureWebJobsStorage__accountName: 'stcmkautopilot',
  CMK_TENANT_ID: SETTINGS.CMK_TENANT_ID.example,
  CMK_API_AUDIENCE: `api://another-app ${SETTINGS.CMK_API_AUDIENCE.example}`,
};
const document = (text: string): PageFile => {
  const bytes = Buffer.from(text);
  return { type: 'text/html; charset=utf-8', bytes, gzipped: bytes };
};
const headers = (given: Record<string, string> = {}) => new Headers(given);
const header = (answer: { headers?: unknown }, name: string) => (answer.headers as Record<string, string>)[name] ?? '';

describe('the sign-in of the page', () => {
  it('The page gets its tenant, client id, authority and scope from the settings', () => {
    expect(createPageConfig(readSettings(VALID))).toEqual({
      tenantId: VALID.CMK_TENANT_ID,
      clientId: SETTINGS.CMK_API_AUDIENCE.example,
      authority: `https://login.microsoftonline.com/${VALID.CMK_TENANT_ID}`,
      signIn: 'https://login.microsoftonline.com',
      issuer: `https://login.microsoftonline.com/${VALID.CMK_TENANT_ID}/v2.0`,
      scope: `${SETTINGS.CMK_API_AUDIENCE.example}/access_as_user`,
    });

    const elsewhere = readSettings({
      ...VALID,
      AZURE_CLOUD: 'AzureUSGovernment',
      CMK_PAGE_SIGN_IN: 'https://x.example',
    });
    expect(createPageConfig(elsewhere)).toMatchObject({
      authority: `https://login.microsoftonline.us/${VALID.CMK_TENANT_ID}`,
      signIn: 'https://x.example',
    });
  });

  it.each([
    ['no tenant', { CMK_TENANT_ID: '' }],
    ['a tenant of many organisations', { CMK_TENANT_ID: 'common' }],
    ['no client id', { CMK_API_AUDIENCE: 'api://another-app' }],
  ])('The page has no sign-in with %s', (_, changes) => {
    expect(createPageConfig(readSettings({ ...VALID, ...changes }))).toBeUndefined();
  });
});

describe('a document', () => {
  const config = createPageConfig(readSettings(VALID));

  it('The document has the sign-in in an attribute, where markup stays text', () => {
    const nasty = config && { ...config, scope: '"><script>alert(1)</script>$&' };
    const { body } = serveDocument(document('<meta content="{{config}}">'), nasty, headers());
    expect(String(body)).toContain('&#60;script&#62;alert(1)&#60;/script&#62;$&#38;');
    expect(String(body)).not.toContain('<script>');
  });

  it('A document is revalidated each time, and sent again only if it changed', () => {
    const first = serveDocument(document('{{config}}'), config, headers());
    expect(header(first, 'cache-control')).toBe('no-cache');

    const etag = header(first, 'etag');

    // As it was sent, as a weak one after compression on the way, and one of several.
    for (const known of [etag, `W/${etag}`, `"other", W/${etag}`]) {
      expect(serveDocument(document('{{config}}'), config, headers({ 'if-none-match': known }))).toMatchObject({
        status: 304,
      });
    }

    expect(serveDocument(document('{{config}} '), config, headers({ 'if-none-match': etag }))).toMatchObject({
      status: 200,
    });
  });

  it('The document may connect to the app and its sign-in, and to nothing else', () => {
    const policy = header(serveDocument(document(''), config, headers()), 'content-security-policy');
    expect(policy).toContain("connect-src 'self' https://login.microsoftonline.com;");
    expect(policy).not.toMatch(/unsafe|\*|data:|blob:/);
  });
});

it('A file is cached for good, and sent compressed to a client that accepts it', () => {
  const file = { type: 'text/css', bytes: Buffer.from('plain'), gzipped: Buffer.from('small') };
  const plain = serveFile(file, headers());

  expect(header(plain, 'cache-control')).toContain('immutable');
  expect([plain.body, header(plain, 'content-encoding')]).toEqual([file.bytes, '']);

  const refused = serveFile(file, headers({ 'accept-encoding': 'gzip;q=0, identity' }));
  expect(refused.body).toBe(file.bytes);

  const small = serveFile(file, headers({ 'accept-encoding': 'br, gzip' }));
  expect([small.body, header(small, 'content-encoding'), header(small, 'vary')]).toEqual([
    file.gzipped,
    'gzip',
    'accept-encoding',
  ]);
});
