import { expect } from 'vitest';
import { z } from 'zod';
import type { Answer } from '../break-glass/running-app.ts';

type Schema = Exclude<Parameters<typeof z.fromJSONSchema>[0], boolean>;

/** The OpenAPI document, as far as tests read it. */
export interface ApiDocument {
  readonly [field: string]: unknown;
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

/** Checks an answer against what the document says of that call and status. */
export function expectDocumented(answer: Answer, operation: string, document: ApiDocument): void {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  const response = operations.find(({ operationId }) => operationId === operation)?.responses[answer.status];
  const media = answer.headers.get('content-type')?.split(';')[0] ?? '';
  if (response && !response.content && answer.text === '') return;
  const schema = response?.content?.[media]?.schema;
  if (!schema) throw new Error(`${operation} ${answer.status} ${media} is not in the document.`);
  const check = z.fromJSONSchema({ ...schema, $defs: document.components.schemas, ...inDefs(schema, document) });
  const result = check.safeParse(media.endsWith('json') ? answer.body : answer.text);
  expect(result.success ? [] : result.error.issues).toEqual([]);
}

/** `#/components/schemas/X` → `#/$defs/X`, where a JSON Schema of its own has its parts. */
function inDefs(schema: object, document: ApiDocument): object {
  return JSON.parse(
    JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
  );
}
