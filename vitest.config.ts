import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['@sonantica/source', 'node', 'import', 'module', 'default'] },
  ssr: { resolve: { conditions: ['@sonantica/source', 'node', 'import', 'module', 'default'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'tracker/src/**/*.test.ts', 'bench/src/**/*.test.ts', 'tests/**/*.test.ts'],
    testTimeout: 20_000,
  },
});
