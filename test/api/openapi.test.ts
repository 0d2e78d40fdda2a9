import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';

/** The members of the document that the tests look at. */
interface Document {
  readonly paths: Record<string, Record<string, Record<string, never>>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}
const document = createOpenApiDocument(ROUTES) as unknown as Document;

describe('the OpenAPI document', () => {
  it('The OpenAPI document is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(createOpenApiDocument(ROUTES)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it('The OpenAPI document is plain JSON in which every reference resolves', () => {
    const text = JSON.stringify(document);
    expect(JSON.parse(text)).toEqual(document);
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]);
    expect(references).toEqual(expect.arrayContaining(['Problem', 'KeyStatus', 'RevokeRequest', 'RevokeResponse']));
    for (const name of references) expect(document.components.schemas).toHaveProperty(name ?? '');
    expect(text).not.toMatch(/"\$(id|schema)"/);
  });

  it('The OpenAPI document closes the schemas of requests and leaves those of answers open', () => {
    expect(document.components.schemas.RevokeRequest).toHaveProperty('additionalProperties', false);
    expect(document.components.schemas.KeyStatus).not.toHaveProperty('additionalProperties');
  });

  it('The OpenAPI document names the role of each call, alternatives one by one', () => {
    const security = (path: string, method: string) => document.paths[path]?.[method]?.security;
    expect(security('/keys/{vault}/{key}', 'get')).toEqual([{ entra: ['CmkKey.Read'] }, { entra: ['Cmk.Operate'] }]);
    expect(security('/keys/{vault}/{key}/revoke', 'post')).toEqual([{ entra: ['CmkKey.Revoke'] }]);
    expect(security('/openapi.json', 'get')).toEqual([]);
  });

  it('The OpenAPI document lists every refusal of a call with its reason codes', () => {
    const responses = document.paths['/keys/{vault}/{key}/revoke']?.post?.responses ?? {};
    expect(Object.keys(responses)).toEqual([
      '200',
      '400',
      '401',
      '403',
      '404',
      '409',
      '413',
      '415',
      '429',
      '500',
      '502',
      '503',
    ]);

    expect(responses).toMatchObject({
      403: { description: expect.stringMatching(/RoleMissing, ClientNotAllowed, ScopeMissing/) },
    });
  });

  it('The OpenAPI document distinguishes required parameters from optional ones', () => {
    const parameters = document.paths['/keys/{vault}/{key}/revoke']?.post?.parameters ?? [];
    expect(parameters).toMatchObject([
      { name: 'vault', required: true },
      { name: 'key', required: true },
      { name: 'dryRun', required: false, schema: { enum: ['true', 'false'] } },
    ]);
  });
});
