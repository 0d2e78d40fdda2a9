import type { ControlStore } from '../../src/rollout/control-client.ts';
import { CONTROL_STATE, type ControlState, NO_CONTROL } from '../../src/rollout/pause.ts';
import type { Way } from '../simulation/memory-vault.ts';

export type LostAnswer = 'refused' | 'lost';

/** Keeps orders; the write after `fail` takes effect, and is answered as if it had not, or not at all. */
export class MemoryControl {
  /** Every content that there was, as text. */
  readonly written: string[] = [];
  fail: LostAnswer | undefined;

  get state(): ControlState {
    const text = this.written.at(-1);
    return text === undefined ? NO_CONTROL : CONTROL_STATE.parse(JSON.parse(text));
  }

  /** As one process sees it. `way` runs each request. */
  port(way: Way): ControlStore {
    return {
      read: async () => way('control', () => this.state),
      update: async (change) => {
        for (;;) {
          const { state, at } = await way('control', () => ({ state: this.state, at: this.written.length }));
          const changed = change(state);
          if (await way('put control', () => this.#put(changed, at), true)) return changed;
        }
      },
    };
  }

  #put(state: ControlState, at: number): boolean {
    if (this.written.length !== at) return false;
    this.written.push(JSON.stringify(state));
    const { fail } = this;
    this.fail = undefined;
    if (fail === 'lost') throw new Error('no answer');
    // The client of the storage has tried again, and was refused by what it had written itself.
    return fail !== 'refused';
  }
}
