/** Where a template is deployed. */
export interface DeploymentScope {
  readonly subscriptionId: string;
  /** Undefined: the subscription itself. */
  readonly resourceGroup?: string | undefined;
}

export function scopeId(scope: DeploymentScope): string {
  const subscription = `/subscriptions/${scope.subscriptionId}`;
  return scope.resourceGroup === undefined ? subscription : `${subscription}/resourceGroups/${scope.resourceGroup}`;
}

/** `providers/Microsoft.X/a/NAME/b/NAME` for a type and the names that go with it. */
function providerPath(type: string, names: readonly string[]): string {
  const [namespace, ...types] = type.split('/');
  if (types.length !== names.length) throw new Error(`${type} takes ${types.length} names, not ${names.join('/')}`);
  return ['providers', namespace, ...types.flatMap((segment, index) => [segment, names[index] ?? ''])].join('/');
}

/** Id of a resource of a template, from its type, its name (`parent/child`) and the resource that it extends, if any. */
export function resourceId(type: string, name: string, scope: DeploymentScope, extended?: string): string {
  if (type.toLowerCase() === 'microsoft.resources/resourcegroups') {
    return `/subscriptions/${scope.subscriptionId}/resourceGroups/${name}`;
  }
  return `${extended ?? scopeId(scope)}/${providerPath(type, name.split('/'))}`;
}

/** The template functions resourceId, subscriptionResourceId and tenantResourceId. */
export function resourceIdFrom(name: string, args: readonly string[], scope: DeploymentScope): string {
  const typeAt = args.findIndex((arg) => arg.includes('/') && !arg.startsWith('/'));
  const type = args[typeAt];
  if (type === undefined) throw new Error(`${name} needs a resource type, not ${args.join(', ')}`);

  const path = providerPath(type, args.slice(typeAt + 1));
  const before = args.slice(0, typeAt);

  if (name === 'tenantResourceId') return `/${path}`;
  if (name === 'subscriptionResourceId') return `/subscriptions/${before[0] ?? scope.subscriptionId}/${path}`;

  const target =
    before.length === 2
      ? { subscriptionId: before[0] ?? '', resourceGroup: before[1] }
      : { subscriptionId: scope.subscriptionId, resourceGroup: before[0] ?? scope.resourceGroup };

  return `${scopeId(target)}/${path}`;
}
