// Importing a function registers it.
import './functions/http.ts';
import './functions/key-events.ts';
import './functions/queues.ts';
import './functions/resource-changed.ts';
import './functions/timers.ts';
