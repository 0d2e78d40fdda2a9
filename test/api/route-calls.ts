import type { HttpRequest, HttpResponseInit, InvocationContext } from '@azure/functions';
import { answerCalls } from '../../src/api/answer-call.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { tokenOf } from '../break-glass/running-app.ts';
import type { Wire } from '../support/wire.ts';

interface RouteCall {
  readonly vault?: string;
  readonly key?: string;
  readonly query?: string;
  readonly body?: object;
}

interface RouteAnswer {
  readonly status: number | undefined;
  readonly body: Record<string, unknown>;
}

/** Calls routes as a person of the local tenant, from the token to the answer, without a host around. */
export function routeCalls(wire: Wire, as: string) {
  const services = wire.services();
  const authorization = `Bearer ${tokenOf(wire.azure, as)}`;

  return async (id: string, { vault = '', key = '', query = '', body }: RouteCall): Promise<RouteAnswer> => {
    const route = ROUTES.find((one) => one.id === id);
    if (!route) throw new Error(`The API has no route ${id}.`);

    const answer = answerCalls(route, { services: () => services, logOf: () => wire.log });

    const request = {
      headers: new Headers({ authorization, 'content-type': 'application/json' }),
      method: route.method,
      params: { vault, key },
      url: `http://app/api${route.path}${query}`,
      body: body ? new Response(JSON.stringify(body)).body : null,
    } as unknown as HttpRequest;

    const context = { functionName: id, invocationId: 'call' } as InvocationContext;
    const response = (await answer(request, context)) as HttpResponseInit;

    return { status: response.status, body: JSON.parse(String(response.body)) };
  };
}
