import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ApiDescription, type ApiOperation, buildOpenApi } from '../../src/http/openapi.ts';

const version = z.object({ id: z.string(), enabled: z.boolean(), disabledAt: z.iso.datetime().optional() });
const keyParameters = [
  { name: 'vault', in: 'path', description: 'Name of the vault.', schema: z.string().min(3).max(24) },
  { name: 'key', in: 'path', description: 'Name of the key.', schema: z.string().min(1).max(127) },
] as const;

const status: ApiOperation = {
  id: 'keyStatus',
  method: 'get',
  path: '/keys/{vault}/{key}',
  summary: 'Look at a key.',
  role: 'CmkKey.Read',
  parameters: keyParameters,
  responses: { 200: { description: 'The key.', schema: 'KeyStatus' } },
  problems: { 404: ['VaultNotManaged', 'KeyNotFound'] },
};
const revoke: ApiOperation = {
  id: 'revokeKey',
  method: 'post',
  path: '/keys/{vault}/{key}/revoke',
  summary: 'Cut the key off.',
  description: 'Disables every enabled version.',
  role: 'CmkKey.Revoke',
  parameters: [
    ...keyParameters,
    {
      name: 'dryRun',
      in: 'query',
      description: 'Change nothing.',
      schema: z.enum(['true', 'false']).optional(),
    },
  ],
  request: 'RevokeRequest',
  responses: { 200: { description: 'Done.', schema: 'KeyStatus' }, 204: { description: 'Nothing to do.' } },
};
const API: ApiDescription = {
  title: 'cmk-autopilot',
  version: '1.0.0',
  description: 'Break-glass.',
  server: '/api',
  operations: [status, revoke, { ...status, id: 'openApi', path: '/openapi.json', role: undefined, parameters: [] }],
  requests: { RevokeRequest: z.strictObject({ reason: z.string().min(3), confirm: z.string() }) },
  responses: { KeyStatus: z.object({ vault: z.string(), versions: z.array(version) }), KeyVersion: version },
};

/** The members of the document that the tests look at. */
interface Document {
  readonly paths: Record<string, Record<string, Record<string, never>>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
}
const document = buildOpenApi(API) as unknown as Document;

describe('the OpenAPI document', () => {
  it('is OpenAPI 3.1, as a validator sees it', async () => {
    const validator = new Validator();
    const result = await validator.validate(structuredClone(buildOpenApi(API)));
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

  it.each<[string, Partial<ApiDescription>, RegExp]>([
    ['two operations of one name', { operations: [status, status] }, /Two operations are called keyStatus/],
    ['two operations of one path', { operations: [status, { ...status, id: 'b' }] }, /Two operations answer get/],
    ['a path parameter nobody described', { operations: [{ ...status, parameters: [] }] }, /path has \{key,vault\}/],
    ['a schema that is not there', { operations: [{ ...revoke, request: 'Nothing' }] }, /schema Nothing/],
    ['a status of both kinds', { operations: [{ ...status, problems: { 200: ['X'] } }] }, /answers 200 both/],
    [
      'a name with two meanings',
      { operations: [], requests: { KeyVersion: z.strictObject({ other: z.string() }) } },
      /KeyVersion is not the same/,
    ],
  ])('refuses %s', (_, part, message) => {
    expect(() => buildOpenApi({ ...API, ...part })).toThrow(message);
  });
});
