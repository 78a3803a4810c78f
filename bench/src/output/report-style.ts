/** How the page of a report looks: the colours of the tracker's page, light and dark. */
export const REPORT_STYLE = `
:root {
  --paper: #fbfaf7;
  --ink: #23211c;
  --quiet: #6d685c;
  --line: #e5e1d6;
  --accent: #9a4f2b;
  --second: #4a6670;
  --third: #a08a4f;
  --fourth: #7a7a7a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #181714;
    --ink: #ece8dd;
    --quiet: #a09a8b;
    --line: #302e28;
    --accent: #d98a5f;
    --second: #8fb0bb;
    --third: #cdb678;
    --fourth: #9a9a9a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 16px/1.5 ui-serif, Georgia, 'Times New Roman', serif;
}
main { max-width: 64rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 3.5rem) clamp(1rem, 4vw, 2rem); }
h1 { margin: 0; font-size: 1.6rem; font-weight: 500; letter-spacing: -0.01em; }
h2 { margin: 0 0 0.5rem; font-size: 1rem; font-weight: 500; color: var(--quiet); }
header p { margin: 0.25rem 0 0; color: var(--quiet); }
code { font: 0.85em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
section { margin: 0; min-width: 0; }
#charts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 2.5rem 2rem; margin-top: 2.75rem; }
@media (max-width: 52rem) { #charts { grid-template-columns: minmax(0, 1fr); } }
.wide { grid-column: 1 / -1; }
.summary { border-collapse: collapse; margin-top: 2rem; width: 100%; font-variant-numeric: tabular-nums lining-nums; }
.summary td { padding: 0.3rem 0.75rem 0.3rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
.summary td:nth-child(2) { text-align: right; padding-right: 1.5rem; white-space: nowrap; }
.summary td:nth-child(3) { color: var(--quiet); width: 55%; }
.note { margin: 0.4rem 0 0; min-height: 1.5em; color: var(--quiet); font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.uplot, .u-legend { font: 0.85rem/1.5 ui-serif, Georgia, 'Times New Roman', serif; }
.u-legend { color: var(--quiet); font-variant-numeric: tabular-nums; }
.u-legend th { font-weight: 400; }
.u-legend .u-marker { border-radius: 50%; }
@media print { main { max-width: none; } section { break-inside: avoid; } }
`;
