import { readFileSync } from 'node:fs';
import { SETTINGS } from '../../src/settings/settings-table.ts';
import { code, plain, table } from './markdown.ts';

interface Parameter {
  readonly type?: string;
  readonly defaultValue?: unknown;
  readonly allowedValues?: readonly unknown[];
  readonly metadata?: { readonly description?: string };
}

/** App settings by the table that they are checked with; deployment parameters by the compiled template. */
export function settingsReference(): string {
  const settings = Object.entries(SETTINGS).map(([name, { description, fallback, example }]) => [
    code(name),
    plain(fromHere(description)),
    plain(fallback),
    example.length > 60 ? '' : code(example),
  ]);

  const template = JSON.parse(readFileSync('infra/azuredeploy.json', 'utf8')) as {
    readonly parameters: Readonly<Record<string, Parameter>>;
  };
  const variables = variableOfParameter();
  const parameters = Object.entries(template.parameters).map(([name, { defaultValue, metadata, allowedValues }]) => [
    variables[name] ? code(variables[name]) : '',
    code(name),
    plain(fromHere(metadata?.description ?? '')) +
      (allowedValues ? ` One of ${allowedValues.map((one) => code(String(one))).join(', ')}.` : ''),
    shown(defaultValue),
  ]);

  return `## App settings

${table(['setting', 'what it is', 'when absent', 'example'], settings)}

## Deployment parameters

With azd, \`scripts/infra/deploy.ts\` and the GitHub workflow by the variable; in the portal, the template and Terraform by the parameter. A parameter without a variable is set in \`infra/main.bicepparam\`. Lists are separated by commas.

${table(['variable', 'parameter', 'what it is', 'default'], parameters)}
`;
}

/** Links that the descriptions make from the root of the repository. */
function fromHere(text: string): string {
  return text.replaceAll(/\]\(docs\/(how-to|explanation|reference)\//g, '](../$1/');
}

function shown(value: unknown): string {
  if (value === undefined) return 'required';
  if (typeof value === 'string' && value.startsWith('[')) return '';
  if (value === '' || (Array.isArray(value) && value.length === 0)) return 'empty';
  return code(typeof value === 'string' ? value : JSON.stringify(value));
}

/** The variable that `infra/main.bicepparam` reads each parameter from. */
function variableOfParameter(): Readonly<Record<string, string>> {
  const text = readFileSync('infra/main.bicepparam', 'utf8');
  const lists = new Map(
    [...text.matchAll(/^var (\w+) = .*readEnvironmentVariable\('(\w+)'/gm)].map(([, name = '', variable = '']) => [
      name,
      variable,
    ]),
  );

  return Object.fromEntries(
    [...text.matchAll(/^param (\w+) = (.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      /readEnvironmentVariable\('(\w+)'/.exec(value)?.[1] ?? lists.get(value) ?? '',
    ]),
  );
}
