/** Whether an ARM id lies under a scope (a subscription, a resource group or a resource), without regard to case. */
export function inScope(id: string, scope: string): boolean {
  return `${id}/`.toLowerCase().startsWith(`${scope.replace(/\/$/, '')}/`.toLowerCase());
}
