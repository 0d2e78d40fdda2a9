import { existsSync, readFileSync } from 'node:fs';
import { HTTP_REASONS } from '../../src/http/http-reasons.ts';
import { openApiDocument } from '../../src/open-api.ts';
import { code, plain, table } from './markdown.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly { readonly entra: readonly string[] }[];
  readonly parameters?: readonly { name: string; in: string; description: string; required: boolean }[];
  readonly responses: Readonly<Record<string, { readonly description?: string }>>;
}

/** A call and its answer, taken from a run by `npm run examples`. */
export interface Example {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
  readonly answer: unknown;
}

export const EXAMPLES = 'docs/reference/api-examples.json';

/** Every operation of the OpenAPI document with its example. */
export function apiReference(): string {
  const { paths } = openApiDocument() as { paths: Record<string, Record<string, Operation>> };
  const examples: Readonly<Record<string, Example>> = existsSync(EXAMPLES)
    ? JSON.parse(readFileSync(EXAMPLES, 'utf8'))
    : {};
  const sections = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      section(`${method.toUpperCase()} ${path}`, operation, examples[operation.operationId]),
    ),
  );
  return `## Every call\n\n${sections.join('\n')}`;
}

/** Refusals of callers and bodies, which the introduction has. */
const OF_EVERY_CALL: ReadonlySet<string> = new Set([...Object.keys(HTTP_REASONS), 'Unexpected']);

function reasonsIn(description: string): string[] {
  return description.split('Reason codes: ')[1]?.replace(/\.$/, '').split(', ') ?? [];
}

function section(call: string, operation: Operation, example: Example | undefined): string {
  const roles = operation.security.flatMap(({ entra }) => entra).map(code);
  const parameters = (operation.parameters ?? []).map(({ name, in: where, description, required }) => [
    code(name),
    where,
    plain(description) + (required ? ' Required.' : ''),
  ]);
  const refusals = Object.entries(operation.responses).flatMap(([status, { description = '' }]) => {
    const own = reasonsIn(description).filter((reason) => !OF_EVERY_CALL.has(reason));
    return Number(status) >= 400 && own.length > 0 ? `${status} ${own.map(code).join(', ')}` : [];
  });
  return [
    `### ${code(call)}\n`,
    `${[operation.summary, operation.description ?? ''].filter(Boolean).map(plain).join(' ')}\n`,
    roles.length > 0 ? `Role ${roles.join(' or ')}.\n` : 'Open to every caller.\n',
    parameters.length > 0 ? `${table(['parameter', 'in', 'what it is'], parameters)}\n` : undefined,
    example ? shownExample(example) : undefined,
    refusals.length > 0 ? `Refusals of its own: ${refusals.join('; ')}.\n` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join('\n');
}

function shownExample({ method, path, body, status, answer }: Example): string {
  const sent = body === undefined ? '' : `\nContent-Type: application/json\n\n${JSON.stringify(body, null, 2)}`;
  const type = typeof answer === 'string' ? 'text' : 'json';
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
  return `\`\`\`http\n${method} /api${path}${sent}\n\`\`\`\n\nAnswer ${status}:\n\n\`\`\`${type}\n${text}\n\`\`\`\n`;
}
