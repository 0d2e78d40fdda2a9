// Importing a function registers it.
import './functions/events.ts';
import './functions/http.ts';
import './functions/queues.ts';
import './functions/timers.ts';
