import { afterAll, describe, expect, it } from 'vitest';
import { useLocalAzure } from '../../support/local-azure.ts';
import { knownDifferences, sceneOptions } from './recorded-differences.ts';
import { readRecording, recordingNames } from './recording.ts';
import { type Outcome, replay } from './replay-run.ts';

const local = useLocalAzure({ settings: { instantProvisioning: false } });

const outcomes: Outcome[] = [];

afterAll(() => {
  console.info(`recordings: ${JSON.stringify(counts())}`);
});

function counts(): Record<Outcome['verdict'], number> {
  const of = (verdict: Outcome['verdict']) => outcomes.filter((outcome) => outcome.verdict === verdict).length;
  return { equal: of('equal'), emptied: of('emptied'), differs: of('differs') };
}

describe.each(recordingNames())('the recording %s', (name) => {
  it(`The local Azure answers the recording ${name} like Azure, but for the listed differences`, async () => {
    const found = await replay(local.azure, readRecording(name), sceneOptions[name] ?? {});
    outcomes.push(...found);
    const differing = found.filter(({ verdict }) => verdict === 'differs');
    const listed = Object.keys(knownDifferences[name] ?? {}).map(Number);
    const unlisted = differing.filter(({ i }) => !listed.includes(i));
    expect(unlisted).toEqual([]);
    // What no longer differs is to be struck off the list.
    expect(differing.map(({ i }) => i)).toEqual(listed);
  });
});

it('The recordings hold 581 pairs, of which nine get another answer than in Azure', () => {
  expect(counts()).toEqual({ equal: 561, emptied: 11, differs: 9 });
});
