#!/usr/bin/env node
import { runCli } from './cli.ts';
import { letHelpersGiveWay } from './helpers-give-way.ts';

letHelpersGiveWay();

// Whoever read the output has gone (`| head`); a tracker goes on without being read.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  stopped: () =>
    new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
    }),
});
