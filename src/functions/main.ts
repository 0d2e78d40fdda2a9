// Importing a function registers it.
import './events.ts';
import './http.ts';
import './queues.ts';
import './timers.ts';
