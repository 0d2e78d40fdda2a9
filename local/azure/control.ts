import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { z } from 'zod';
import { whyNotJson } from '../loopback.ts';
import { APP_ORDER_FORM, type AppControl, appOrder } from './app-control.ts';
import { parseDuration } from './duration.ts';
import { authContextsIn, resourceOf } from './entra/grants.ts';
import type { TokenAuthority } from './entra/token-authority.ts';
import type { Faults } from './faults.ts';
import type { RequestLog } from './wire/request-log.ts';
import type { World, WorldSettings } from './world.ts';

const milliseconds = z.number().nonnegative();
const settingsPatch = z
  .strictObject({
    refreshAutomaticOnPatch: z.boolean(),
    automaticCheckMs: z.number().positive(),
    repointFromDisabledKey: z.boolean(),
    fileServiceDelayMs: milliseconds,
    rolePropagationMs: milliseconds,
    keyDeletionMs: milliseconds,
    switchToBlindIdentity: z.boolean(),
    rotateCopiesTags: z.boolean(),
    logDelayMs: milliseconds,
    enforceRoles: z.boolean(),
    throttle: z.boolean(),
    latencyMs: milliseconds,
    instantProvisioning: z.boolean(),
    encryptionPatch: z.enum(['merge', 'replace']),
    storageListPageSize: z.int().min(1),
    sparseAnswers: z.boolean(),
    listKeysAllowed: z.boolean(),
    accountWriteMs: milliseconds,
    callerAddress: z.ipv4(),
    failedOverVaults: z.array(z.string().min(1)),
    versionListOrder: z.enum(['oldestFirst', 'newestFirst', 'byVersion']),
  } satisfies Record<keyof WorldSettings, z.ZodType>)
  .partial();
const clockBody = z.strictObject({ advance: z.string() });
const tokenBody = z.strictObject({
  signIn: z.string(),
  resource: z.string().optional(),
  scope: z.string().optional(),
  /** A claims challenge in base64, as `az login --claims-challenge` takes it. The issued token satisfies it. */
  claims: z.string().optional(),
});

interface ControlOptions {
  readonly world: World;
  readonly faults: Faults;
  readonly log: RequestLog;
  /** Requests to the app's storage. */
  readonly storageLog: RequestLog;
  readonly tokens: TokenAuthority;
  readonly events: () => readonly unknown[];
  /** The notifications that the receiver accepted. */
  readonly received: () => readonly unknown[];
  /** Absent: no app runs beside the local Azure. */
  readonly app?: AppControl;
}

/** Maximum size of a request body in bytes. */
const MOST_BYTES = 1_000_000;

/** The control API of the local Azure: loopback only, JSON, no sign-in. */
export function createControl(options: ControlOptions): Hono {
  const { world, faults, log, tokens } = options;
  const app = new Hono();

  app.on(['POST', 'PATCH', 'PUT'], '*', async (c, next) => {
    const why = whyNotJson(c.req.header());
    return why === undefined ? next() : c.json({ error: why }, 415);
  });

  app.use(
    '*',
    bodyLimit({
      maxSize: MOST_BYTES,
      onError: (c) => c.json({ error: `The body is larger than ${MOST_BYTES} bytes.` }, 413),
    }),
  );

  app.get('/', (c) =>
    c.json({
      now: world.clock.now().toISOString(),
      settings: world.settings,
      faults: faults.list(),
      requests: log.last,
    }),
  );

  app.post('/clock', async (c) => {
    const body = clockBody.safeParse(await json(c.req));
    const ms = body.success ? parseDuration(body.data.advance) : undefined;
    if (ms === undefined) {
      return c.json({ error: 'The body must be {"advance": "<ISO 8601 duration>"}, for instance "PT24H".' }, 400);
    }
    await world.clock.advance(ms);
    return c.json({ now: world.clock.now().toISOString() });
  });

  app.get('/clock', (c) => c.json({ now: world.clock.now().toISOString() }));

  addApp(app, options.app);

  app.post('/faults', async (c) => {
    const rules = await json(c.req);
    if (!Array.isArray(rules)) return c.json({ error: 'The body must be an array of rules.' }, 400);
    try {
      faults.add(rules);
    } catch (error) {
      if (error instanceof TypeError) return c.json({ error: error.message }, 400);
      throw error;
    }
    return c.json(faults.list());
  });

  app.get('/faults', (c) => c.json(faults.list()));
  app.delete('/faults', (c) => {
    faults.clear();
    return c.body(null, 204);
  });

  app.get('/requests', (c) => {
    const since = Number(c.req.query('since') ?? 0);
    if (!Number.isInteger(since) || since < 0) return c.json({ error: 'since must be a whole number.' }, 400);
    const of = c.req.query('of') ?? 'azure';
    if (of !== 'azure' && of !== 'storage') return c.json({ error: 'of must be azure or storage.' }, 400);
    return c.json((of === 'azure' ? log : options.storageLog).since(since));
  });

  app.get('/events', (c) => c.json(options.events()));
  app.get('/notifications', (c) => c.json(options.received()));

  app.get('/settings', (c) => c.json(world.settings));

  app.patch('/settings', async (c) => {
    const patch = settingsPatch.safeParse(await json(c.req));
    if (!patch.success) return c.json({ error: z.prettifyError(patch.error) }, 400);
    Object.assign(world.settings, patch.data);
    return c.json(world.settings);
  });

  app.post('/token', async (c) => {
    const body = tokenBody.safeParse(await json(c.req));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);

    const principal = [...world.principals.values()].find(
      ({ displayName, clientId }) => displayName === body.data.signIn || clientId === body.data.signIn,
    );
    if (!principal) {
      const names = [...world.principals.values()].map(({ displayName }) => displayName).join(', ');
      return c.json({ error: `There is no sign-in '${body.data.signIn}'. There are: ${names}.` }, 404);
    }

    const resource =
      body.data.resource ?? resourceOf(new URLSearchParams({ scope: body.data.scope ?? '' })) ?? 'api://cmk-autopilot';
    const claims = Buffer.from(body.data.claims ?? '', 'base64').toString();
    const { token, expiresIn } = tokens.issue(principal, resource, { authContexts: authContextsIn(claims) });

    return c.json({ access_token: token, expires_in: expiresIn, token_type: 'Bearer' });
  });

  app.notFound((c) =>
    c.json(
      { error: 'The local Azure has: /app, /clock, /faults, /requests, /events, /notifications, /settings, /token.' },
      404,
    ),
  );

  return app;
}

function addApp(app: Hono, control: AppControl | undefined): void {
  if (!control) {
    app.all('/app', (c) =>
      c.json({ error: 'The local Azure runs alone here: npm start runs the app beside it.' }, 404),
    );
    return;
  }

  app.get('/app', async (c) => c.json({ instances: await control.instances() }));

  app.post('/app', async (c) => {
    const order = appOrder.safeParse(await json(c.req));
    if (!order.success) return c.json({ error: APP_ORDER_FORM }, 400);
    try {
      return c.json({ instances: await control.order(order.data) });
    } catch (error) {
      return c.json({ error: error instanceof Error ? error.message : String(error) }, 500);
    }
  });
}

async function json(request: { json(): Promise<unknown> }): Promise<unknown> {
  return request.json().catch(() => undefined);
}
