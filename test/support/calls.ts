import { readFileSync } from 'node:fs';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';

/** A row of the table of calls in docs/reference/api.md. */
export interface Row {
  readonly call: string;
  readonly roles: readonly string[];
  readonly narrowed: string;
  readonly applications: string;
}

const section =
  readFileSync('docs/reference/api.md', 'utf8').split('## Who may make which call')[1]?.split('\n## ')[0] ?? '';
export const ROWS: readonly Row[] = [...section.matchAll(/^\| `([A-Z]+ [^`]+)` \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, call = '', roles = '', narrowed = '', applications = '']) => ({
    call,
    narrowed,
    applications,
    roles: [...roles.matchAll(/`([\w.]+)`/g)].map(([, role = '']) => role),
  }),
);

/** An operation of the OpenAPI document. */
export interface Operation {
  readonly operationId: string;
  readonly call: string;
  readonly roles: readonly string[];
  readonly hasBody: boolean;
}

const { paths } = createOpenApiDocument(ROUTES) as {
  readonly paths: Record<
    string,
    Record<string, { operationId: string; security: { entra: string[] }[]; requestBody?: object }>
  >;
};
export const OPERATIONS: readonly Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, security, requestBody }]) => ({
    operationId,
    call: `${method.toUpperCase()} ${path}`,
    roles: security.flatMap(({ entra }) => entra),
    hasBody: requestBody !== undefined,
  })),
);
