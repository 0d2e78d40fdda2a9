import type { KeyStatusResponse } from '../api/types.ts';
import { count, keyLabel, keyNames, shortVersion } from '../names.ts';
import { href } from '../route.ts';
import { type Band, bandsOf, flowOf } from './flow.ts';

/** Height of an account, as `.flow-uses li` has it. Pixels. */
const ROW = 30;
/** The thinnest band, and how much thicker one of all uses is. Pixels. */
const THICK = { least: 2, more: 18 };

/** Key → versions → accounts. The lists in it are its own words; the bands show how many. */
export function KeyFlow({ of }: { readonly of: KeyStatusResponse }) {
  const flow = flowOf(of);
  if (!flow || flow.versions.length === 0) return null;
  const total = (of.users?.accounts ?? 0) + (of.users?.scopes ?? 0);
  const key = keyLabel(of.key);
  return (
    <>
      <div class="flow">
        <span class="node tone-info" title={key}>
          {keyNames(of.key)?.key ?? key}
        </span>
        <Bands bands={flow.fromKey} rows={flow.rows} />
        <ul class="flow-versions">
          {flow.versions.map((version) => (
            <li key={version.version ?? ''}>
              <span class={`node tone-${version.tone}`} title={version.version}>
                <span class="mono">{version.version ? shortVersion(version.version) : 'not told'}</span>
                <small>
                  {version.words} · {count(version.uses, 'use')}
                </small>
              </span>
              <Bands bands={bandsOf(version, total)} rows={version.leaves.length} />
              <ul class="flow-uses">
                {version.leaves.map(({ name, account, uses }) => (
                  <li key={name}>
                    {account ? (
                      <a href={href(['fleet', account])}>{name}</a>
                    ) : uses > 0 ? (
                      <a href={href(['fleet'], { key, q: version.version })}>{name}</a>
                    ) : (
                      <span class="muted">{name}</span>
                    )}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ul>
      </div>
      {flow.unused > 0 && <p class="muted">Nothing uses {count(flow.unused, 'other version')}.</p>}
    </>
  );
}

function Bands({ bands, rows }: { readonly bands: readonly Band[]; readonly rows: number }) {
  const height = rows * ROW;
  return (
    <svg
      class="bands"
      viewBox={`0 0 100 ${height}`}
      height={height}
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      {bands.map(({ from, to, share, tone }) => (
        <path
          key={to}
          class={`band tone-${tone}`}
          d={`M0 ${from * ROW}C50 ${from * ROW} 50 ${to * ROW} 100 ${to * ROW}`}
          stroke-width={share > 0 ? THICK.least + share * THICK.more : 1}
        />
      ))}
    </svg>
  );
}
