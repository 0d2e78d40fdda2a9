import { memberOf, PURE_FUNCTIONS } from './functions.ts';
import { asObject, asString, isObject, type Json, type JsonObject } from './json.ts';
import { type Expression, parseExpression } from './parse-expression.ts';
import { type DeploymentScope, resourceIdFrom, scopeId } from './resource-id.ts';

/** What the expressions of one template can see. */
export interface CliContext {
  readonly scope: DeploymentScope;
  readonly tenantId: string;
  /** Who deploys. */
  readonly deployerId: string;
  readonly location: string;
  readonly deploymentName: string;
  /** What `environment()` answers. */
  readonly cloud: JsonObject;
  readonly template: JsonObject;
  readonly parameters: JsonObject;
  /** The answer about a resource of this template, by its symbolic name. */
  readonly answerOf: (symbol: string) => JsonObject;
  /** Names of the copy loops that run, with where they are; the unnamed one is the innermost. */
  readonly indexes: ReadonlyMap<string, number>;
  readonly lambdas: JsonObject;
}

/** The public cloud. */
export const AZURE_CLOUD: JsonObject = {
  name: 'AzureCloud',
  authentication: { loginEndpoint: 'https://login.microsoftonline.com/' },
  suffixes: { storage: 'core.windows.net', keyvaultDns: '.vault.azure.net' },
};

/** Evaluates every expression in a value of a template. */
export function evaluate(value: Json, around: CliContext): Json {
  if (typeof value === 'string') {
    if (value.startsWith('[[')) return value.slice(1);
    return value.startsWith('[') && value.endsWith(']') ? run(parseExpression(value.slice(1, -1)), around) : value;
  }

  if (Array.isArray(value)) return value.map((item) => evaluate(item, around));
  if (!isObject(value)) return value;

  const result: JsonObject = {};

  for (const [name, item] of Object.entries(value)) {
    result[asString(evaluate(name, around), 'property name')] = evaluate(item, around);
  }

  return result;
}

function run(expression: Expression, around: CliContext): Json {
  if (expression.kind === 'literal') return expression.value;

  if (expression.kind === 'member') {
    const of = run(expression.of, around);
    const name = run(expression.name, around);
    const found = memberOf(of, name);
    if (found === undefined && !expression.safe) {
      throw new Error(`There is no ${JSON.stringify(name)} in ${JSON.stringify(of)?.slice(0, 200)}`);
    }

    return found ?? null;
  }

  return call(expression.name, expression.args, around);
}

function call(name: string, args: readonly Expression[], around: CliContext): Json {
  const value = (index: number): Json => {
    const arg = args[index];
    if (!arg) throw new Error(`${name} lacks argument ${index}`);
    return run(arg, around);
  };

  const text = (index: number): string => asString(value(index), `argument ${index} of ${name}`);

  switch (name) {
    case 'if': // lazy: what is not chosen may refer to a resource that is not there
      return value(0) === true ? value(1) : value(2);
    case 'parameters':
      return known(around.parameters[text(0)], `parameter ${text(0)}`);
    case 'variables':
      return evaluate(known(asObject(around.template.variables, 'variables')[text(0)], `variable ${text(0)}`), around);
    case 'copyIndex':
      return known(around.indexes.get(args.length > 0 ? text(0) : ''), 'copy index');
    case 'reference': {
      const answer = around.answerOf(text(0));
      return args.length === 3 && text(2) === 'full' ? answer : (answer.properties ?? {});
    }
    case 'filter':
    case 'map':
    case 'toObject': {
      const list = value(0);
      if (!Array.isArray(list)) throw new Error(`${name} needs a list`);

      const [first, second] = args.slice(1).map((lambda) => lambdaOf(lambda, around));
      if (!first) throw new Error(`${name} needs a lambda`);
      if (name === 'map') return list.map((item, index) => first(item, index));
      if (name === 'filter') return list.filter((item, index) => first(item, index) === true);

      return Object.fromEntries(list.map((item) => [String(first(item)), second ? second(item) : item]));
    }
    case 'lambdaVariables':
      return known(around.lambdas[text(0)], `lambda variable ${text(0)}`);
    case 'subscription':
      return {
        id: `/subscriptions/${around.scope.subscriptionId}`,
        subscriptionId: around.scope.subscriptionId,
        tenantId: around.tenantId,
      };
    case 'resourceGroup':
      return {
        id: scopeId(around.scope),
        name: known(around.scope.resourceGroup, 'resource group'),
        location: around.location,
      };
    case 'tenant':
      return { tenantId: around.tenantId };
    case 'deployer':
      return { objectId: around.deployerId, tenantId: around.tenantId };
    case 'deployment':
      return { name: around.deploymentName, location: around.location };
    case 'environment':
      return around.cloud;
    case 'resourceId':
    case 'subscriptionResourceId':
    case 'tenantResourceId':
      return resourceIdFrom(
        name,
        args.map((_, index) => text(index)),
        around.scope,
      );
  }

  const own = ownFunction(name, around);
  if (own) {
    const parameters: JsonObject = {};
    for (const [index, parameter] of own.parameters.entries()) parameters[parameter] = value(index);
    return evaluate(own.output, { ...around, parameters });
  }

  const pure = PURE_FUNCTIONS[name];
  if (!pure) throw new Error(`The deployer does not know the template function ${name}`);

  return pure(...args.map((_, index) => value(index)));
}

/** An argument `lambda('item', …)` or `lambda('item', 'index', …)`, as a function. */
function lambdaOf(lambda: Expression, around: CliContext): (item: Json, index?: number) => Json {
  if (lambda.kind !== 'call' || lambda.name !== 'lambda') throw new Error('This has to be a lambda');
  const body = lambda.args.at(-1);
  const [name, second] = lambda.args.slice(0, -1).map((one) => asString(run(one, around), 'lambda variable'));
  if (!name || !body) throw new Error('a lambda needs a variable and a body');
  return (item, index) => {
    const values = { [name]: item, ...(second && index !== undefined ? { [second]: index } : {}) };
    return run(body, { ...around, lambdas: { ...around.lambdas, ...values } });
  };
}

/** A function that the template itself defines: `namespace.name`. */
function ownFunction(name: string, { template }: CliContext): { parameters: string[]; output: Json } | undefined {
  const [namespace, member] = name.split('.');
  if (!member || !Array.isArray(template.functions)) return undefined;

  for (const group of template.functions) {
    const { namespace: other, members } = asObject(group, 'functions');
    if (other !== namespace) continue;

    const found = asObject(members, 'members')[member];
    if (!isObject(found)) continue;

    const parameters = Array.isArray(found.parameters) ? found.parameters : [];

    return {
      parameters: parameters.map((parameter) => asString(asObject(parameter, 'parameter').name, 'name')),
      output: asObject(found.output, 'output').value ?? null,
    };
  }

  return undefined;
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`There is no ${what}`);
  return value;
}
