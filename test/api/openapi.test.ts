import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openApiDocument } from '../../src/api/openapi.ts';
import { route } from '../../src/api/route.ts';
import { FLAG } from '../../src/http/query.ts';

const version = z.object({ id: z.string(), enabled: z.boolean(), disabledAt: z.iso.datetime().optional() });
const keySchema = z.object({ vault: z.string(), versions: z.array(version) });
const KEY_PARAMS = {
  vault: { description: 'Name of the vault.', schema: z.string().min(3).max(24) },
  key: { description: 'Name of the key.', schema: z.string().min(1).max(127) },
} as const;

const never = () => Promise.reject(new Error('No test calls it.'));
const status = route({
  id: 'keyStatus',
  method: 'GET',
  path: '/keys/{vault}/{key}',
  summary: 'Look at a key.',
  role: 'CmkKey.Read',
  reach: 'key',
  params: KEY_PARAMS,
  answers: { 200: { description: 'The key.', schema: { KeyStatus: keySchema, KeyVersion: version } } },
  refusals: ['VaultNotManaged', 'KeyNotFound', ['ServiceUnavailable', 502]],
  handle: never,
});
const revoke = route({
  id: 'revokeKey',
  method: 'POST',
  path: '/keys/{vault}/{key}/revoke',
  summary: 'Cut the key off.',
  description: 'Disables every enabled version.',
  role: 'CmkKey.Revoke',
  reach: 'key',
  params: KEY_PARAMS,
  query: { dryRun: { description: 'Change nothing.', schema: FLAG } },
  body: { RevokeRequest: z.strictObject({ reason: z.string().min(3), confirm: z.string() }) },
  answers: { 200: { description: 'Done.', schema: { KeyStatus: keySchema } }, 204: { description: 'Nothing to do.' } },
  handle: never,
});
const TABLE = [status, revoke];

/** The members of the document that the tests look at. */
interface Document {
  readonly paths: Record<string, Record<string, Record<string, never>>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}
const document = openApiDocument(TABLE) as unknown as Document;

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1, as a validator sees it', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(openApiDocument(TABLE)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe('3.1');
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  it('is plain JSON, and every reference in it leads somewhere', () => {
    const text = JSON.stringify(document);
    expect(JSON.parse(text)).toEqual(document);
    const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(references)).toEqual(new Set(['Problem', 'KeyStatus', 'KeyVersion', 'RevokeRequest']));
    for (const name of references) expect(document.components.schemas).toHaveProperty(name ?? '');
    expect(text).not.toMatch(/"\$(id|schema)"/);
  });

  it('closes what is sent and leaves open what is answered', () => {
    expect(document.components.schemas.RevokeRequest).toHaveProperty('additionalProperties', false);
    expect(document.components.schemas.KeyVersion).not.toHaveProperty('additionalProperties', false);
    expect(document.components.schemas.KeyStatus?.properties).toMatchObject({
      versions: { items: { $ref: '#/components/schemas/KeyVersion' } },
    });
  });

  it('says which role a call takes, each alternative by itself', () => {
    const security = (path: string, method: string) => document.paths[path]?.[method]?.security;
    expect(security('/keys/{vault}/{key}', 'get')).toEqual([{ entra: ['CmkKey.Read'] }, { entra: ['Cmk.Operate'] }]);
    expect(security('/keys/{vault}/{key}/revoke', 'post')).toEqual([{ entra: ['CmkKey.Revoke'] }]);
    expect(security('/openapi.json', 'get')).toEqual([]);
  });

  it('lists every refusal of a call with its reason codes', () => {
    const responses = document.paths['/keys/{vault}/{key}/revoke']?.post?.responses ?? {};
    expect(Object.keys(responses)).toEqual(['200', '204', '400', '401', '403', '413', '415', '429', '500', '503']);
    expect(document.paths['/keys/{vault}/{key}']?.get?.responses).toHaveProperty('502');
    expect(responses).toMatchObject({
      403: { description: expect.stringMatching(/RoleMissing, ClientNotAllowed, ScopeMissing/) },
    });
  });

  it('tells required parameters from optional ones', () => {
    const parameters = document.paths['/keys/{vault}/{key}/revoke']?.post?.parameters ?? [];
    expect(parameters).toMatchObject([
      { name: 'vault', required: true },
      { name: 'key', required: true },
      { name: 'dryRun', required: false, schema: { enum: ['true', 'false'] } },
    ]);
  });
});
