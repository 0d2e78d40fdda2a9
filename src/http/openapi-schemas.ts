import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * JSON Schemas for `components.schemas`. A schema with a name is referred to wherever another one uses it.
 *
 * @throws Error when a name means two things
 */
export function componentSchemas(
  requests: Readonly<Record<string, z.ZodType>>,
  responses: Readonly<Record<string, z.ZodType>>,
): Readonly<Record<string, JsonSchema>> {
  const components: Record<string, JsonSchema> = {};
  for (const [named, io] of [
    [requests, 'input'],
    [responses, 'output'],
  ] as const) {
    const registry = z.registry<{ id: string }>();
    for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
    const { schemas } = z.toJSONSchema(registry, {
      io,
      uri: (id) => `#/components/schemas/${id}`,
      override: tolerateNewFields,
    });
    for (const [id, schema] of Object.entries(schemas)) {
      const clean = withoutHeader(schema as JsonSchema);
      const other = components[id];
      if (other && JSON.stringify(other) !== JSON.stringify(clean)) {
        throw new Error(`The schema ${id} is not the same in requests and responses; give it two names.`);
      }
      components[id] = clean;
    }
  }
  return components;
}

/** The JSON Schema of a parameter. */
export function inlineSchema(schema: z.ZodType): JsonSchema {
  return withoutHeader(z.toJSONSchema(schema, { io: 'input' }));
}

/** zod closes plain objects of an output; a client must not refuse an answer for a field that a later version adds. */
function tolerateNewFields({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  const { def } = zodSchema._zod;
  if (def.type === 'object' && def.catchall === undefined) Reflect.deleteProperty(jsonSchema, 'additionalProperties');
}

/** `$schema` and `$id` would make each component a document of its own, against which its references resolve. */
function withoutHeader({ $schema, $id, ...schema }: JsonSchema): JsonSchema {
  return schema;
}
