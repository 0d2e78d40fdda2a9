// Importing a function registers it.
import './functions/approvals.ts';
import './functions/approve.ts';
import './functions/drift-check.ts';
import './functions/drift-findings.ts';
import './functions/drift-report.ts';
import './functions/key-expired.ts';
import './functions/key-near-expiry.ts';
import './functions/key-new-version-created.ts';
import './functions/key-status.ts';
import './functions/open-api.ts';
import './functions/pause.ts';
import './functions/reconcile-account.ts';
import './functions/reconcile-key.ts';
import './functions/rekeys.ts';
import './functions/restore-key.ts';
import './functions/revoke-key.ts';
import './functions/rotations.ts';
