/** Container of the audit trail in the app's own storage. */
export const AUDIT_CONTAINER = 'cmk-audit';
/** Container of the heads in the app's own storage: not the one of the trail, so that roles and policies can differ. */
export const HEADS_CONTAINER = 'cmk-audit-heads';
