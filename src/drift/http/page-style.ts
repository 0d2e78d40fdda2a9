/** The style of the report's page. Light and dark follow the reader's system; narrow screens get one column. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --back: #fff; --card: #f6f8fa; --line: #d0d7de;
  --error: #b42318; --warning: #8a5300; --advice: #0550ae; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9aa4af; --back: #0d1117; --card: #161b22;
  --line: #30363d; --error: #ff7b72; --warning: #e3a84a; --advice: #79b8ff; --good: #56d364; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; font-weight: 600; }
p { margin: .25rem 0; }
.soft { color: var(--soft); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: 1rem 0; list-style: none; }
.counts li { flex: 1 1 7rem; padding: .5rem .75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .5rem; }
.counts strong { display: block; font-size: 1.5rem; line-height: 1.2; }
article { margin: .75rem 0; padding: .75rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-left: .3rem solid var(--line); border-radius: .5rem; }
article.error { border-left-color: var(--error); } article.warning { border-left-color: var(--warning); }
article.advice { border-left-color: var(--advice); }
.error > strong, b.error { color: var(--error); } .warning > strong, b.warning { color: var(--warning); }
.advice > strong, b.advice { color: var(--advice); } .good { color: var(--good); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
code { font: .9em ui-monospace, monospace; }
pre { font: .85em/1.4 ui-monospace, monospace; margin: .5rem 0; padding: .5rem; overflow: auto; max-height: 14rem;
  white-space: pre-wrap; border: 1px solid var(--line); border-radius: .25rem; }
ul.plain { padding-left: 1.1rem; margin: .25rem 0; }
summary { cursor: pointer; padding: .25rem 0; } summary h3 { display: inline; } summary h3 + b::before { content: '\\a'; white-space: pre; }
@media (max-width: 36rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .35rem; } }
`;
