import { count, keyLabel, keyNames, shortVersion } from '../../../src/keys/short-names.ts';
import type { KeyStatusResponse } from '../api/types.ts';
import { href } from '../route.ts';
import { type Band, bandsToUses, bandsToVersions, type FlowUse, flowOf, rowsOf } from './flow.ts';

/** Height of a row, as `.flow-uses li` has it. Pixels. */
const ROW = 30;
/** Thickness of a band without users, and the additional thickness of a band with all users. Pixels. */
const THICK = { least: 2, more: 22 };

/** Key → versions → accounts. The lists carry the text for screen readers; the bands only show the proportions. */
export function KeyFlow({ of }: { readonly of: KeyStatusResponse }) {
  const { versions, unused } = flowOf(of);
  const all = versions.reduce((sum, { uses }) => sum + uses, 0);
  const rows = versions.reduce((sum, version) => sum + rowsOf(version), 0);
  const key = keyLabel(of.key);

  return (
    <>
      <div class="flow">
        <span class="node tone-info" title={key}>
          {keyNames(of.key)?.key ?? key}
        </span>
        <Bands bands={bandsToVersions(versions)} rows={rows} all={all} />
        <ul>
          {versions.map((version) => (
            <li key={version.version ?? ''} class="flow-version">
              <span class={`node tone-${version.tone}`} title={version.version}>
                <span class="mono">{version.version ? shortVersion(version.version) : 'not known'}</span>
                <small>{version.words}</small>
              </span>
              <Bands bands={bandsToUses(version)} rows={rowsOf(version)} all={all} />
              <ul class="flow-uses">
                {version.leaves.map((leaf) => (
                  <li key={leaf.name} title={leaf.name}>
                    <Leaf of={leaf} flowKey={key} version={version.version} />
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      </div>
      {unused > 0 && <p class="muted">Nothing uses {count(unused, 'other version')}.</p>}
    </>
  );
}

interface LeafProps {
  readonly of: FlowUse;
  readonly flowKey: string;
  readonly version: string | undefined;
}

function Leaf({ of: { name, account, uses }, flowKey, version }: LeafProps) {
  if (account) return <a href={href(['fleet', account])}>{name}</a>;
  if (uses > 0) return <a href={href(['fleet'], { key: flowKey, q: version })}>{name}</a>;
  return <span class="muted">{name}</span>;
}

interface BandsProps {
  readonly bands: readonly Band[];
  readonly rows: number;
  /** Users of the key. */
  readonly all: number;
}

function Bands({ bands, rows, all }: BandsProps) {
  const height = rows * ROW;
  const thick = bands.map(({ uses }) => THICK.least + (uses / Math.max(1, all)) * THICK.more);
  const middle = (height - thick.reduce((sum, one) => sum + one, 0)) / 2;

  return (
    <svg
      class="bands"
      viewBox={`0 0 100 ${height}`}
      height={height}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {bands.map(({ to, tone }, index) => {
        const width = thick[index] ?? 0;

        // The bands start below each other at the box.
        const start = middle + thick.slice(0, index).reduce((sum, one) => sum + one, 0) + width / 2;
        const end = to * ROW;

        return (
          <path
            key={to}
            class={`band tone-${tone}`}
            d={`M0 ${start}C50 ${start} 50 ${end} 100 ${end}`}
            stroke-width={width}
          />
        );
      })}
    </svg>
  );
}
