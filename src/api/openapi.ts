import { z } from 'zod';
import { REFUSALS, type Refusal } from '../errors/refusals.ts';
import { PROBLEM } from '../http/problem.ts';
import type { Parameter, ParameterTable } from '../http/query.ts';
import { listSufficientRoles, ROLES } from '../http/roles.ts';
import type { Named, Route } from './route.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

const AUTH_REFUSALS = [
  ...(Object.keys(REFUSALS) as Refusal[]).filter((code) => code.startsWith('Token')),
  ...(['RoleMissing', 'ClientNotAllowed', 'ScopeMissing', 'RoleNarrowed', 'KeyOutOfReach'] as const),
  ...(['RateExceeded', 'AuthNotConfigured', 'SigningKeysUnavailable'] as const),
];
const BODY_REFUSALS = ['BodyMissing', 'BodyNotJson', 'BodyInvalid', 'BodyTooLarge', 'BodyTypeUnsupported'] as const;

const IF_NONE_MATCH: Parameter = {
  description: 'ETag of the answer that the caller has cached.',
  schema: z.string().optional(),
};
const ETAG = {
  description: 'Version of the answer; the time of the read does not change it.',
  schema: { type: 'string' },
};

/**
 * Generates the OpenAPI 3.1 document from the route table, whose schemas also validate the calls. So the document
 * always matches the app.
 */
export function createOpenApiDocument(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};

  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: describeRoute(route) };
  }

  return {
    openapi: '3.1.0',
    info: {
      title: 'cmk-autopilot',
      version: '1',
      description: 'Break-glass and drift of customer-managed keys of Azure Storage.',
    },
    servers: [{ url: '/api' }],
    paths: {
      ...paths,
      '/openapi.json': {
        get: {
          operationId: 'openApi',
          summary: 'This document.',
          security: [],
          responses: { 200: { description: 'OpenAPI 3.1.' }, ...describeRefusals(['Unexpected']) },
        },
      },
    },
    components: {
      schemas: componentSchemas(
        routes.map(({ body = {} }) => body),
        [
          ...routes.flatMap(({ answers }) => Object.values(answers).map(({ schema = {} }) => schema)),
          { Problem: PROBLEM },
        ],
      ),
      securitySchemes: {
        entra: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: `Access token of Entra ID for this API. App roles: ${ROLES.join(', ')}.`,
        },
      },
    },
  };
}

function describeRoute(route: Route): object {
  const { id, summary, description, role, params = {}, query = {}, body, answers, conditional } = route;
  const refusals = describeRefusals([
    ...(route.refusals ?? []),
    'QueryInvalid',
    ...AUTH_REFUSALS,
    ...(body ? BODY_REFUSALS : []),
    'Unexpected',
  ]);

  const parameters = [
    ...describeParameters('path', params),
    ...describeParameters('query', query),
    ...(conditional ? describeParameters('header', { 'If-None-Match': IF_NONE_MATCH }) : []),
  ];

  return {
    operationId: id,
    summary,
    ...(description ? { description } : {}),
    // Each entry is sufficient. Roles beside a bearer scheme: OpenAPI 3.1, Security Requirement Object.
    security: listSufficientRoles(role).map((enough) => ({ entra: [enough] })),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: refTo(body) } } } } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([status, { description: meaning, schema }]) => [
          status,
          {
            description: meaning,
            ...(conditional ? { headers: { ETag: ETAG } } : {}),
            ...(schema ? { content: { 'application/json': { schema: refTo(schema) } } } : {}),
          },
        ]),
      ),
      ...(conditional ? { 304: { description: 'Nothing has changed since the cached answer.' } } : {}),
      ...refusals,
    },
  };
}

function describeParameters(place: 'path' | 'query' | 'header', table: ParameterTable): object[] {
  return Object.entries(table).map(([name, { description, schema, many }]) => ({
    name,
    in: place,
    required: place === 'path' || !schema.safeParse(undefined).success,
    description: many ? `${description} May be repeated.` : description,
    schema: withoutHeader(z.toJSONSchema(schema, { io: 'input' })),
  }));
}

function describeRefusals(refusals: NonNullable<Route['refusals']>): Record<string, object> {
  const codes = new Map<number, Set<Refusal>>();

  for (const one of refusals) {
    const [code, status] = typeof one === 'string' ? [one, statusOf(one)] : one;
    codes.set(status, (codes.get(status) ?? new Set()).add(code));
  }

  return Object.fromEntries(
    [...codes].map(([status, of]) => [
      status,
      {
        description: `Rejected. Reason codes: ${[...of].join(', ')}.`,
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

function statusOf(code: Refusal): number {
  const refusal = REFUSALS[code];
  if ('status' in refusal) return refusal.status;
  throw new Error(`The reason code ${code} has no HTTP status, so the API cannot use it.`);
}

function refTo(named: Named): object {
  return { $ref: `#/components/schemas/${Object.keys(named)[0]}` };
}

/** JSON Schemas for `components.schemas`. Every other use refers to a named schema by its name. */
function componentSchemas(requests: readonly Named[], responses: readonly Named[]): Record<string, JsonSchema> {
  const components: Record<string, JsonSchema> = {};

  for (const [all, io] of [
    [requests, 'input'],
    [responses, 'output'],
  ] as const) {
    const registry = z.registry<{ id: string }>();

    for (const [id, schema] of all.flatMap((named) => Object.entries(named))) {
      if (!registry.has(schema)) registry.add(schema, { id });
    }

    const { schemas } = z.toJSONSchema(registry, {
      io,
      uri: (id) => `#/components/schemas/${id}`,
      override: tolerateNewFields,
    });

    for (const [id, schema] of Object.entries(schemas)) components[id] = withoutHeader(schema as JsonSchema);
  }

  return components;
}

/** zod closes objects of an output, but clients must accept answers with fields of a later version. */
function tolerateNewFields({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  const { def } = zodSchema._zod;
  if (def.type === 'object' && def.catchall === undefined) Reflect.deleteProperty(jsonSchema, 'additionalProperties');
}

/** `$schema` and `$id` would make each component a separate document and break its references. */
function withoutHeader({ $schema, $id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
