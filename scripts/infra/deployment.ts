/** A deployment as `az deployment sub create` prints it. */
export interface FinishedDeployment {
  readonly properties: { readonly outputs?: Readonly<Record<string, { readonly value: unknown }>> };
}

/**
 * The outputs of a deployment, as text, by the names that the template gives them, which are upper case. Azure Resource
 * Manager makes the first letters of a name lower case: AZURE_RESOURCE_GROUP comes back as azurE_RESOURCE_GROUP
 * (Azure/bicep#9360).
 */
export function outputsOf({ properties: { outputs = {} } }: FinishedDeployment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { value }]) => [
      name.toUpperCase(),
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
}

/**
 * Name of a deployment to a subscription. It has the region in it, since Azure refuses a name that was used in another one
 * before (InvalidDeploymentLocation). At most 64 characters.
 */
export function deploymentName(what: string, environment: string, location: string): string {
  return `${what}-${environment}-${location.toLowerCase().replaceAll(' ', '')}`.slice(0, 64);
}
