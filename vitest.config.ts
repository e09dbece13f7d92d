import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start programs of their own: more files at once than two would only make them wait for one another.
    maxWorkers: 2,
    // A busy machine with two cores runs some tests ten times slower than a quiet one.
    testTimeout: 20_000,
    // Hooks start the oracle, agents and hubs.
    hookTimeout: 60_000,
  },
});
