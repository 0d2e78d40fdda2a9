/** What a compiled template says of its parameters. */
export interface TemplateParameters {
  readonly parameters: Readonly<Record<string, Parameter>>;
}

interface Parameter {
  readonly type?: string;
  readonly $ref?: string;
  readonly items?: { readonly type?: string };
  readonly defaultValue?: unknown;
  readonly allowedValues?: readonly unknown[];
  readonly metadata?: { readonly description?: string };
}

/** Where the variables of the Terraform module are committed. */
export const TERRAFORM_VARIABLES = 'infra/terraform/variables.tf.json';

/**
 * The variables of the Terraform module, in Terraform's JSON form: those of the template, by their names there. One that is
 * not set is null, and not sent.
 */
export function terraformVariables({ parameters }: TemplateParameters): string {
  const names = Object.keys(parameters).sort();
  const variable = Object.fromEntries(names.map((name) => [name, variableOf(name, parameters[name] ?? {})]));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's own template.
  const values = Object.fromEntries(names.map((name) => [name, '${var.NAME}'.replace('NAME', name)]));
  return `${JSON.stringify({ variable, locals: { parameters: values } }, null, 2)}\n`;
}

function variableOf(name: string, parameter: Parameter): Record<string, unknown> {
  const { allowedValues, metadata } = parameter;

  return {
    type: typeOf(parameter),
    // `${` begins an expression in a description too.
    description: (metadata?.description ?? name).replaceAll('${', '$${'),
    ...('defaultValue' in parameter ? { default: null } : { nullable: false }),
    ...(allowedValues
      ? {
          validation: {
            condition: `\${var.${name} == null ? true : ${allowed(name, parameter)}}`,
            error_message: `${name} is ${parameter.type === 'array' ? 'a list of' : 'one of'}: ${allowedValues.join(', ')}.`,
          },
        }
      : {}),
  };
}

function allowed(name: string, { type, allowedValues }: Parameter): string {
  const values = JSON.stringify(allowedValues);
  return type === 'array'
    ? `alltrue([for one in var.${name} : contains(${values}, one)])`
    : `contains(${values}, var.${name})`;
}

function typeOf({ type, items, $ref, allowedValues }: Parameter): string {
  switch (type) {
    case 'string':
      return 'string';
    case 'bool':
      return 'bool';
    case 'int':
      return 'number';
    case 'array':
      return items?.type === 'string' || allowedValues?.every((one) => typeof one === 'string')
        ? 'list(string)'
        : 'list(any)';
    default:
      // The types of names.bicep that main.bicep takes are maps of text.
      return $ref === undefined ? 'any' : 'map(string)';
  }
}
