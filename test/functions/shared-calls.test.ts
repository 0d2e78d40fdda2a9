import { HttpRequest, InvocationContext } from '@azure/functions';
import { expect, it } from 'vitest';
import { givingWay, openToAnyone } from '../../src/functions/shared-calls.ts';

it('what is open to anyone waits for no refusals that went into line before', async () => {
  let refused = 0;
  const refusing = Array.from({ length: 3_000 }, async () => {
    await givingWay.turn();
    refused += 1;
  });
  const page = openToAnyone(() => ({ status: 200 }));
  const request = new HttpRequest({ method: 'GET', url: 'https://func.example/' });
  expect(await page(request, new InvocationContext())).toEqual({ status: 200 });
  expect(refused).toBeLessThan(30);
  await Promise.all(refusing);
});
