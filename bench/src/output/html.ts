import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { RunRecord } from '../record.ts';
import { reportDataOf } from './report-data.ts';
import { REPORT_STYLE } from './report-style.ts';

/** A run as one page that needs nothing but itself: charts, data and style are inside. `command` runs it again. */
export function htmlOf(record: RunRecord, command: string): string {
  const data = reportDataOf(record, command);
  const require = createRequire(import.meta.url);
  const charts = readFileSync(require.resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const chartStyle = readFileSync(require.resolve('uplot/dist/uPlot.min.css'), 'utf8');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(data.title)} — Sonántica bench</title>
<style>${chartStyle}${REPORT_STYLE}</style>
</head>
<body>
<main></main>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll('<', '\\u003c')}</script>
<script>${charts}</script>
<script type="module">${pageScript()}</script>
</body>
</html>
`;
}

/** The page's own script as it was built; it imports nothing. */
function pageScript(): string {
  const built = import.meta.url.endsWith('.ts') ? '../../dist/output/report-page.js' : './report-page.js';
  return readFileSync(fileURLToPath(new URL(built, import.meta.url)), 'utf8').replaceAll(
    '</script',
    '<\\/script',
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
