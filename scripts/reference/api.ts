import { existsSync, readFileSync } from 'node:fs';
import { createOpenApiDocument } from '../../src/api/openapi.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { findRefusal } from '../../src/errors/refusals.ts';
import { code, plain, table } from './markdown.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly { readonly entra: readonly string[] }[];
  readonly parameters?: readonly { name: string; in: string; description: string; required: boolean }[];
}

/** A call and its answer, taken from a run by `npm run examples`. */
export interface Example {
  /** Sign-in of the local tenant; absent: the call needs no token. */
  readonly as?: string;
  readonly method: string;
  /** Here and in the body `{{revokeKey.response.body.$.revocation.id}}` is a field of an earlier answer. */
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
  readonly answer: unknown;
}

export const EXAMPLES = 'docs/reference/api-examples.json';

function readExamples(): Readonly<Record<string, Example>> {
  return existsSync(EXAMPLES) ? JSON.parse(readFileSync(EXAMPLES, 'utf8')) : {};
}

/** A text with the fields of earlier answers in place of their names. @throws when an answer lacks one */
export function fillIn(text: string, examples: Readonly<Record<string, Example>>): string {
  return text.replaceAll(/\{\{(\w+)\.response\.body\.\$\.([^}]+)\}\}/g, (name, id: string, path: string) => {
    let value: unknown = examples[id]?.answer;
    for (const field of path.split(/[.[\]]+/)) value = (value as Record<string, unknown> | undefined)?.[field];
    if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`No answer has ${name}.`);
    return String(value);
  });
}

/** Each call as a file for the REST client of VS Code, to be sent from top to bottom on a new local run. */
export function httpFile(): string {
  const examples = Object.entries(readExamples());
  const callers = [...new Set(examples.flatMap(([, { as }]) => as ?? []))].sort();
  const head = callers.map((as) => `# npm run --silent token -- ${as}\n@${as} = <token>\n`).join('');
  const calls = examples.map(([id, { as, method, path, body }]) => {
    const token = as === undefined ? '' : `Authorization: Bearer {{${as}}}\n`;
    const sent = body === undefined ? '' : `Content-Type: application/json\n\n${JSON.stringify(body, null, 2)}\n`;
    return `###\n# @name ${id}\n${method} {{api}}${path}\n${token}${sent}`;
  });
  return `# Each call of the API, for the REST client of VS Code. Written by \`npm run reference\`.\n# Put in three tokens, then send from top to bottom to a new local run (npm start -- --no-tour).\n# There releaseChange is the only one to be rejected (404 NotContested), as no account is contested.\n@api = http://127.0.0.1:7071/api\n${head}\n${calls.join('\n')}`;
}

/** Every operation of the OpenAPI document with its example. */
export function apiReference(): string {
  const { paths } = createOpenApiDocument(ROUTES) as { paths: Record<string, Record<string, Operation>> };
  const examples = readExamples();
  const sections = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) =>
      section(`${method.toUpperCase()} ${path}`, operation, examples),
    ),
  );
  return `## Every call\n\n${sections.join('\n')}`;
}

/** Beside those of callers and bodies, which the introduction has. */
function ownRefusals(operationId: string): string[] {
  const refusals = ROUTES.find(({ id }) => id === operationId)?.refusals ?? [];
  return refusals.map((refusal) => {
    const [name, status] = typeof refusal === 'string' ? [refusal, findRefusal(refusal)?.status] : refusal;
    return `${code(name)} (${status})`;
  });
}

function section(call: string, operation: Operation, examples: Readonly<Record<string, Example>>): string {
  const example = examples[operation.operationId];
  const roles = operation.security.flatMap(({ entra }) => entra).map(code);

  const parameters = (operation.parameters ?? []).map(({ name, in: where, description, required }) => [
    code(name),
    where,
    plain(description) + (required ? ' Required.' : ''),
  ]);

  const refusals = ownRefusals(operation.operationId);

  return [
    `### ${code(call)}\n`,
    `${[operation.summary, operation.description ?? ''].filter(Boolean).map(plain).join(' ')}\n`,
    roles.length > 0 ? `Role ${roles.join(' or ')}.\n` : 'Open to every caller.\n',
    parameters.length > 0 ? `${table(['parameter', 'in', 'what it is'], parameters)}\n` : undefined,
    example ? fillIn(shownExample(example), examples) : undefined,
    refusals.length > 0 ? `Refusals of its own: ${refusals.join(', ')}.\n` : undefined,
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
