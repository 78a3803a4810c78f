import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@sonantica/source', 'node'] },
  ssr: { resolve: { conditions: ['@sonantica/source', 'node'] } },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'tracker/src/**/*.test.ts',
      'bench/src/**/*.test.ts',
      'tests/**/*.test.ts',
    ],
    globalSetup: './tests/support/build.ts',
    testTimeout: 20_000,
  },
});
