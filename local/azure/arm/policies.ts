import { asObject } from '../json.ts';
import { scopeCovers } from '../roles.ts';
import type { ExtensionResource } from '../world.ts';
import { type ArmRequest, type ArmRoutes, nameAt, ok } from './arm-request.ts';
import { ArmError, badRequest } from './errors.ts';
import { page } from './paging.ts';
import { requireScope } from './require-scope.ts';

const ASSIGNMENTS = 'Microsoft.Authorization/policyAssignments';
const EXEMPTIONS = 'Microsoft.Authorization/policyExemptions';
const INITIATIVES = 'Microsoft.Authorization/policySetDefinitions';
const DEFINITIONS = 'Microsoft.Authorization/policyDefinitions';

/** The built-in initiative that denies by default: CMK in Managed HSM, of "Sovereignty". */
const BUILT_IN: ReadonlyMap<string, Record<string, unknown>> = new Map([
  [
    '7a00a7fc-fdf4-4ad8-8fa2-a94acc223e8e',
    {
      policyType: 'BuiltIn',
      parameters: {
        effect: { type: 'String', defaultValue: 'Deny' },
        '75c4f823-d65c-4f29-a733-01d0077fdbcb_allowedKeyTypes': {
          type: 'Array',
          defaultValue: ['RSA-HSM', 'EC-HSM'],
        },
      },
      policyDefinitions: [
        {
          policyDefinitionReferenceId: 'cryptographicKeyTypesInKeyVault',
          policyDefinitionId:
            '/providers/Microsoft.Authorization/policyDefinitions/75c4f823-d65c-4f29-a733-01d0077fdbcb',
          parameters: {
            effect: { value: "[parameters('effect')]" },
            allowedKeyTypes: { value: "[parameters('75c4f823-d65c-4f29-a733-01d0077fdbcb_allowedKeyTypes')]" },
          },
        },
      ],
    },
  ],
]);

function body({ id, type, scope, properties }: ExtensionResource): Record<string, unknown> {
  const more = type === ASSIGNMENTS ? { scope, notScopes: [], enforcementMode: 'Default' } : {};
  return { id, name: id.slice(id.lastIndexOf('/') + 1), type, properties: { ...more, ...properties } };
}

/** Stores the body. Azure requires one property of each type. */
function put(type: string, required: string): (request: ArmRequest) => Response {
  return ({ world, path, body: given }) => {
    requireScope(world, path);
    const properties = asObject(given.properties) ?? {};
    if (properties[required] === undefined) {
      throw badRequest(`The property '${required}' is required.`, 'InvalidRequestContent');
    }
    const resource = { id: path.id, type, scope: path.scope, properties };
    world.extensions.set(path.id.toLowerCase(), resource);
    return ok(body(resource), 201);
  };
}

function get(request: ArmRequest): Response {
  const { world, path } = request;
  const found = world.extensions.get(path.id.toLowerCase());
  if (found) return ok(body(found));
  throw notFound(path.id);
}

function getInitiative(request: ArmRequest): Response {
  const name = nameAt(request, 0);
  const builtIn = request.path.scope === '/' ? BUILT_IN.get(name.toLowerCase()) : undefined;
  if (!builtIn) return get(request);
  return ok({ id: request.path.id, name, type: INITIATIVES, properties: builtIn });
}

function notFound(id: string): ArmError {
  return new ArmError(404, 'ResourceNotFound', `The resource '${id}' could not be found.`);
}

function remove({ world, path }: ArmRequest): Response {
  const found = world.extensions.get(path.id.toLowerCase());
  world.extensions.delete(path.id.toLowerCase());
  return found ? ok(body(found)) : new Response(null, { status: 204 });
}

/** With `atScope()`: at the scope and above. Without: below it as well. */
function list(type: string): (request: ArmRequest) => Response {
  return (request) => {
    requireScope(request.world, request.path);
    const { scope } = request.path;
    const atScope = /^atScope\(\)$/i.test(request.query.get('$filter') ?? '');
    const found = [...request.world.extensions.values()].filter(
      (one) => one.type === type && (scopeCovers(one.scope, scope) || (!atScope && scopeCovers(scope, one.scope))),
    );
    return ok(page(request, found, 100, body));
  };
}

/**
 * Azure Policy as stored: assignments and exemptions at a subscription, a group or a resource, definitions and
 * initiatives of a subscription. A definition that was written here is enforced on writes of storage accounts
 * (`policy-rules.ts`). Nothing is enforced on keys, since Key Vault's answer to a denied request is not documented.
 */
export const policyRoutes: ArmRoutes = {
  'GET microsoft.authorization/policyassignments': list(ASSIGNMENTS),
  'GET microsoft.authorization/policyassignments/{}': get,
  'PUT microsoft.authorization/policyassignments/{}': put(ASSIGNMENTS, 'policyDefinitionId'),
  'DELETE microsoft.authorization/policyassignments/{}': remove,
  'GET microsoft.authorization/policyexemptions': list(EXEMPTIONS),
  'GET microsoft.authorization/policyexemptions/{}': get,
  'PUT microsoft.authorization/policyexemptions/{}': put(EXEMPTIONS, 'policyAssignmentId'),
  'DELETE microsoft.authorization/policyexemptions/{}': remove,
  'GET microsoft.authorization/policysetdefinitions/{}': getInitiative,
  'PUT microsoft.authorization/policysetdefinitions/{}': put(INITIATIVES, 'policyDefinitions'),
  'DELETE microsoft.authorization/policysetdefinitions/{}': remove,
  'GET microsoft.authorization/policydefinitions/{}': get,
  'PUT microsoft.authorization/policydefinitions/{}': put(DEFINITIONS, 'policyRule'),
  'DELETE microsoft.authorization/policydefinitions/{}': remove,
};
