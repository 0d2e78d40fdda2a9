import { AZURE_CLOUD, type CliContext, evaluate } from './evaluate.ts';
import { asArray, asObject, asString, isObject, type Json, type JsonObject } from './json.ts';
import { type DeploymentScope, resourceId } from './resource-id.ts';

/** A resource as the deployer puts it. */
export interface Resource {
  readonly id: string;
  readonly type: string;
  readonly apiVersion: string;
  readonly body: JsonObject;
}

/** Where resources are put: Azure Resource Manager, or something that answers like it. */
export interface Target {
  /** Creates or updates a resource, and waits for it. Returns it as it then is. */
  put(resource: Resource): Promise<JsonObject>;
  /** A resource that the template does not make but refers to. */
  get(id: string, apiVersion: string): Promise<JsonObject>;
  /** Gets each nested deployment: Azure keeps a record of it, and runs one of a name in a scope at a time. */
  deployed?(id: string): void;
}

export interface Deployment {
  readonly template: JsonObject;
  /** Plain values by name. */
  readonly parameters: JsonObject;
  readonly scope: DeploymentScope;
  readonly location: string;
  readonly tenantId: string;
  readonly deployerId: string;
  readonly name?: string;
  /** Default: the public cloud. */
  readonly cloud?: JsonObject;
}

/**
 * Deploys a compiled template as Azure Resource Manager does, as far as the templates of this project need it: symbolic
 * names (language version 2.0), nested templates, loops, conditions, existing resources. For tests.
 *
 * @returns The template's outputs.
 */
export async function deploy(deployment: Deployment, target: Target): Promise<JsonObject> {
  const { template, scope, location, tenantId, deployerId } = deployment;
  const answers = new Map<string, JsonObject>();
  const around: CliContext = {
    template,
    scope,
    location,
    tenantId,
    deployerId,
    deploymentName: deployment.name ?? 'main',
    cloud: deployment.cloud ?? AZURE_CLOUD,
    parameters: {},
    indexes: new Map(),
    lambdas: {},
    answerOf: (symbol) => {
      const answer = answers.get(symbol);
      if (!answer) throw new Error(`${symbol} is referred to before it is deployed, or was left out by its condition`);
      return answer;
    },
  };

  Object.assign(around.parameters, parameterValues(template, deployment.parameters, around));

  // A template that makes nothing has a list of nothing.
  const resources = asObject(
    Array.isArray(template.resources) ? { ...template.resources } : template.resources,
    'resources',
  );
  const done = new Set<string>();
  const deployOne = async (symbol: string, path: readonly string[]): Promise<void> => {
    if (done.has(symbol)) return;
    if (path.includes(symbol)) throw new Error(`These depend on each other: ${[...path, symbol].join(' → ')}`);
    const resource = asObject(resources[symbol], symbol);
    for (const dependency of dependencies(resource)) await deployOne(dependency, [...path, symbol]);
    for (const [name, context] of instances(symbol, resource, around)) {
      if (resource.condition !== undefined && evaluate(resource.condition, context) !== true) continue;
      answers.set(name, await putResource(resource, context, target));
    }
    done.add(symbol);
  };

  for (const symbol of Object.keys(resources)) await deployOne(symbol, []);

  return outputs(template, around);
}

function parameterValues(template: JsonObject, given: JsonObject, around: CliContext): JsonObject {
  const declared = isObject(template.parameters) ? template.parameters : {};
  for (const name of Object.keys(given)) {
    if (!(name in declared)) throw new Error(`The template has no parameter ${name}`);
  }

  const values: JsonObject = {};

  for (const [name, declaration] of Object.entries(declared)) {
    const { defaultValue, nullable, allowedValues } = asObject(declaration, name);
    const value =
      given[name] ??
      (defaultValue === undefined ? undefined : evaluate(defaultValue, { ...around, parameters: values }));
    if (value === undefined && nullable !== true) throw new Error(`The parameter ${name} is missing`);

    // Of a list, each entry is to be one of them.
    const entries = Array.isArray(value) ? value : [value];
    if (
      value !== undefined &&
      Array.isArray(allowedValues) &&
      !entries.every((one) => allowedValues.includes(one ?? null))
    ) {
      throw new Error(`${name} is ${JSON.stringify(value)}, and not one of ${JSON.stringify(allowedValues)}`);
    }

    values[name] = value ?? null;
  }

  return values;
}

/** Symbolic names in dependsOn; one instance of a loop means the whole loop. */
function dependencies(resource: JsonObject): string[] {
  return asArray(resource.dependsOn ?? [], 'dependsOn').map((entry) => {
    const text = asString(entry, 'dependsOn');
    return /^\[format\('([^[']+)\[/.exec(text)?.[1] ?? text;
  });
}

/** The instances of a resource: itself, or one for each turn of its loop. */
function instances(symbol: string, resource: JsonObject, around: CliContext): [string, CliContext][] {
  if (!isObject(resource.copy)) return [[symbol, around]];
  const { name, count } = resource.copy;
  const turns = Number(evaluate(count ?? 0, around));
  return Array.from({ length: turns }, (_, index) => [
    `${symbol}[${index}]`,
    { ...around, indexes: new Map([...around.indexes, [String(name), index], ['', index]]) },
  ]);
}

async function putResource(resource: JsonObject, around: CliContext, target: Target): Promise<JsonObject> {
  const type = asString(resource.type, 'type');
  const apiVersion = asString(resource.apiVersion, 'apiVersion');
  const name = asString(evaluate(resource.name ?? null, around), 'name');
  const scope: DeploymentScope = {
    subscriptionId: String(evaluate(resource.subscriptionId ?? around.scope.subscriptionId, around)),
    resourceGroup: resource.resourceGroup ? String(evaluate(resource.resourceGroup, around)) : undefined,
  };
  if (type === 'Microsoft.Resources/deployments') return nested(resource, name, scope, around, target);

  const extended = resource.scope === undefined ? undefined : String(evaluate(resource.scope, around));
  const own = resource.resourceGroup || resource.subscriptionId ? scope : around.scope;
  const id = resourceId(type, name, own, extended);
  if (resource.existing === true) return target.get(id, apiVersion);

  const body: JsonObject = {};

  for (const [key, value] of Object.entries(resource)) {
    if (!NOT_IN_BODY.has(key)) body[key] = evaluate(value, around);
  }

  return { id, name: name.split('/').at(-1) ?? name, type, ...(await target.put({ id, type, apiVersion, body })) };
}

const NOT_IN_BODY = new Set(
  'apiVersion condition copy dependsOn existing metadata name resourceGroup scope subscriptionId type'.split(' '),
);

async function nested(
  resource: JsonObject,
  name: string,
  scope: DeploymentScope,
  around: CliContext,
  target: Target,
): Promise<JsonObject> {
  if (!/^[-\w.()]{1,64}$/.test(name)) throw new Error(`Azure takes no deployment of the name "${name}"`);

  const here = resource.resourceGroup || resource.subscriptionId ? scope : around.scope;

  target.deployed?.(resourceId('Microsoft.Resources/deployments', name, here));

  const properties = asObject(resource.properties, 'properties');
  const parameters: JsonObject = {};
  for (const [key, parameter] of Object.entries(asObject(properties.parameters ?? {}, 'parameters'))) {
    // A parameter may be a whole expression that ends in an object with a value.
    parameters[key] = asObject(evaluate(parameter, around), key).value ?? null;
  }

  const result = await deploy(
    {
      template: asObject(properties.template, 'template'),
      parameters,
      scope: here,
      location: around.location,
      tenantId: around.tenantId,
      deployerId: around.deployerId,
      cloud: around.cloud,
      name,
    },
    target,
  );

  const wrapped: JsonObject = {};

  for (const [key, value] of Object.entries(result)) wrapped[key] = { value };

  return { name, properties: { outputs: wrapped } };
}

function outputs(template: JsonObject, around: CliContext): JsonObject {
  const result: JsonObject = {};

  for (const [name, output] of Object.entries(isObject(template.outputs) ? template.outputs : {})) {
    const { value, copy } = asObject(output, name);
    if (isObject(copy)) {
      const turns = Number(evaluate(copy.count ?? 0, around));
      result[name] = Array.from(
        { length: turns },
        (_, index): Json =>
          evaluate(copy.input ?? null, {
            ...around,
            indexes: new Map([...around.indexes, ['', index], [name, index]]),
          }),
      );
    } else {
      result[name] = evaluate(value ?? null, around);
    }
  }

  return result;
}
