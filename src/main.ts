// Importing a function registers it.
import './functions/build-index.ts';
import './functions/collect-notifications.ts';
import './functions/drift-check.ts';
import './functions/hsm-watch.ts';
import './functions/http.ts';
import './functions/key-expired.ts';
import './functions/key-near-expiry.ts';
import './functions/key-new-version-created.ts';
import './functions/reconcile-account.ts';
import './functions/reconcile-key.ts';
import './functions/reconcile-subscription.ts';
import './functions/resource-changed.ts';
import './functions/send-notification.ts';
import './functions/sweep.ts';
