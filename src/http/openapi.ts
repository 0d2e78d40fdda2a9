import { z } from 'zod';
import { HTTP_REASONS } from './http-reasons.ts';
import { componentSchemas, inlineSchema, type JsonSchema } from './openapi-schemas.ts';
import { ROLES, type Role, sufficientRoles } from './roles.ts';

/** One call of the API, as written down for its callers. */
export interface ApiOperation {
  /** Name of the function; unique. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** Path below the server's URL, with `{parameters}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  /** App role that the call takes; undefined: open to anyone. */
  readonly role: Role | undefined;
  readonly parameters?: readonly Parameter[];
  /** Schema of the body, by its name in {@link ApiDescription.requests}. */
  readonly request?: string;
  /** Success answers by status; `schema` by its name in {@link ApiDescription.responses}. */
  readonly responses: Readonly<Record<number, ApiResponse>>;
  /** It carries an ETag, and is 304 to whoever sends that as `If-None-Match`. */
  readonly conditional?: boolean;
  /** Reasons of refusal by status, beside those that every call with a role or a body has. */
  readonly problems?: Readonly<Record<number, readonly string[]>>;
}

export interface ApiResponse {
  readonly description: string;
  readonly schema?: string;
  /** Another form in which it is had by `Accept`: text. */
  readonly text?: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly schema: z.ZodType;
}

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  /** URL of the API, `/api` for one served beside the document. */
  readonly server: string;
  readonly operations: readonly ApiOperation[];
  readonly requests: Readonly<Record<string, z.ZodType>>;
  readonly responses: Readonly<Record<string, z.ZodType>>;
}

/** Shape of every refusal; see `problem.ts`. */
const PROBLEM_SCHEMA = z.looseObject({
  type: z.string().describe('URN that ends in the reason code.'),
  title: z.string().describe('What the reason code means; the same text each time.'),
  status: z.int().min(400).max(599),
  detail: z.string().describe('What happened this time.'),
  reason: z.string().describe('Reason code, the same as in logs and reports.'),
  nextStep: z.string().describe('What to do next, in one sentence.'),
  instance: z.string(),
  correlationId: z.string().describe('Finds this answer in the log.'),
});

const AUTH_PROBLEMS = {
  401: Object.keys(HTTP_REASONS).filter((reason) => reason.startsWith('Token')),
  403: ['RoleMissing', 'ClientNotAllowed', 'ScopeMissing', 'RoleNarrowed', 'KeyOutOfReach'],
  429: ['RateExceeded'],
  503: ['AuthNotConfigured', 'SigningKeysUnavailable'],
};
const BODY_PROBLEMS = {
  400: ['BodyMissing', 'BodyNotJson', 'BodyInvalid'],
  413: ['BodyTooLarge'],
  415: ['BodyTypeUnsupported'],
};

const IF_NONE_MATCH: Parameter = {
  name: 'If-None-Match',
  in: 'header',
  description: 'The ETag of the answer that the caller has.',
  schema: z.string().optional(),
};
const ETAG = { description: 'Names what was answered, but for when it was read.', schema: { type: 'string' } };

/**
 * Makes the OpenAPI 3.1 document from the schemas that the calls are checked with, so that the two cannot differ.
 *
 * @throws Error when the description contradicts itself: two operations of one id or of one path and method, a path
 * parameter that is not described or not in the path, a schema that is not there
 */
export function buildOpenApi(api: ApiDescription): Record<string, unknown> {
  const schemas = componentSchemas(api.requests, { ...api.responses, Problem: PROBLEM_SCHEMA });
  const paths: Record<string, Record<string, unknown>> = {};
  const ids = new Set<string>();
  for (const operation of api.operations) {
    if (ids.has(operation.id)) throw new Error(`Two operations are called ${operation.id}.`);
    ids.add(operation.id);
    const path = paths[operation.path] ?? {};
    paths[operation.path] = path;
    if (path[operation.method]) throw new Error(`Two operations answer ${operation.method} ${operation.path}.`);
    path[operation.method] = describeOperation(operation, schemas);
  }
  return {
    openapi: '3.1.0',
    info: { title: api.title, version: api.version, description: api.description },
    servers: [{ url: api.server }],
    paths,
    components: {
      schemas,
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

function describeOperation(operation: ApiOperation, schemas: Readonly<Record<string, JsonSchema>>): object {
  const { role, request } = operation;
  checkPathParameters(operation);
  const problems = problemResponses(operation);
  const parameters = [...(operation.parameters ?? []), ...(operation.conditional ? [IF_NONE_MATCH] : [])];
  for (const status of Object.keys(operation.responses)) {
    if (problems[status]) throw new Error(`${operation.id} answers ${status} both as a success and as a refusal.`);
  }
  const ref = (name: string) => {
    if (!schemas[name]) throw new Error(`${operation.id} uses the schema ${name}, which is not there.`);
    return { $ref: `#/components/schemas/${name}` };
  };
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(operation.description ? { description: operation.description } : {}),
    // Alternatives, each enough by itself. Roles beside a bearer scheme: OpenAPI 3.1, Security Requirement Object.
    security: role ? sufficientRoles(role).map((enough) => ({ entra: [enough] })) : [],
    ...(parameters.length > 0
      ? {
          parameters: parameters.map((parameter) => ({
            name: parameter.name,
            in: parameter.in,
            required: parameter.in === 'path' || !parameter.schema.safeParse(undefined).success,
            description: parameter.description,
            schema: inlineSchema(parameter.schema),
          })),
        }
      : {}),
    ...(request ? { requestBody: { required: true, content: { 'application/json': { schema: ref(request) } } } } : {}),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.responses).map(([status, response]) => [
          status,
          {
            description: response.description,
            ...(operation.conditional ? { headers: { ETag: ETAG } } : {}),
            ...contentOf(response, ref),
          },
        ]),
      ),
      ...(operation.conditional ? { 304: { description: 'Nothing has changed since then.' } } : {}),
      ...problems,
    },
  };
}

function contentOf({ schema, text }: ApiResponse, ref: (name: string) => object): object {
  const json = schema ? { 'application/json': { schema: ref(schema) } } : {};
  const other = text ? { [text]: { schema: { type: 'string' } } } : {};
  return schema || text ? { content: { ...json, ...other } } : {};
}

/** Why one part of an answer is not there, while the others are: the same, without what names an answer. */
export const PART_PROBLEM = PROBLEM_SCHEMA.omit({ instance: true, correlationId: true });

/** What a call answers that reads the app's own storage, while that cannot be read. */
export const STORAGE_UNREAD = { 503: ['ServiceUnavailable'] } as const;

function problemResponses(operation: ApiOperation): Record<string, object> {
  const reasons = new Map<string, string[]>();
  for (const table of [
    operation.problems ?? {},
    operation.role ? AUTH_PROBLEMS : {},
    operation.request ? BODY_PROBLEMS : {},
    { 500: ['Unexpected'] },
  ]) {
    for (const [status, names] of Object.entries(table))
      reasons.set(status, [...(reasons.get(status) ?? []), ...names]);
  }
  return Object.fromEntries(
    [...reasons].map(([status, names]) => [
      status,
      {
        description: `Refused. Reason codes: ${[...new Set(names)].join(', ')}.`,
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  );
}

function checkPathParameters(operation: ApiOperation): void {
  const inPath = [...operation.path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]).sort();
  const described = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === 'path')
    .map((parameter) => parameter.name)
    .sort();
  if (inPath.join() !== described.join()) {
    throw new Error(`${operation.id}: the path has {${inPath.join()}}, but {${described.join()}} is described.`);
  }
}
