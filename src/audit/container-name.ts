/** Container of the audit trail in the app's own storage. */
export const AUDIT_CONTAINER = 'cmk-audit';
