/** The parts of an Azure Resource Manager id of a resource (not of a nested one). */
export interface ResourceId {
  readonly id: string;
  readonly subscriptionId: string;
  readonly resourceGroup: string;
  /** `Microsoft.Storage/storageAccounts`, as written in the id. */
  readonly type: string;
  readonly name: string;
}

const RESOURCE_ID =
  /^\/subscriptions\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/resourceGroups\/([-\w.()]{1,90})\/providers\/([\w.]+\/\w+)\/([-\w.]{1,127})\/?$/i;

/** Undefined for anything that is not the id of a top-level resource. ARM ids compare without letter case. */
export function parseResourceId(id: string): ResourceId | undefined {
  const match = RESOURCE_ID.exec(id);
  if (!match) return undefined;
  const [, subscriptionId = '', resourceGroup = '', type = '', name = ''] = match;
  if (name === '.' || name === '..') return undefined;
  return { id: id.replace(/\/$/, ''), subscriptionId: subscriptionId.toLowerCase(), resourceGroup, type, name };
}

/** Whether two ARM ids name the same resource: services change the letter case of what they were given. */
export function sameResource(a: string, b: string): boolean {
  return a.toLowerCase().replace(/\/$/, '') === b.toLowerCase().replace(/\/$/, '');
}
