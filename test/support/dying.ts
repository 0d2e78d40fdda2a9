import type { Way } from '../simulation/memory-vault.ts';

const NEVER = new Promise<never>(() => {});

/** Dies at the call of that number, counted from 0, before it takes effect or after. */
export function dying(at: number, isAfter: boolean): { way: Way; died: Promise<'died'> } {
  let calls = 0;
  let die: (is: 'died') => void = () => {};
  const died = new Promise<'died'>((resolve) => {
    die = resolve;
  });
  const way: Way = (_, effect) => {
    calls += 1;
    if (calls <= at) return Promise.resolve().then(effect);
    // Nobody is left to hear how it went.
    if (calls === at + 1 && isAfter) (async () => effect())().catch(() => {});
    die('died');
    return NEVER;
  };
  return { way, died };
}
