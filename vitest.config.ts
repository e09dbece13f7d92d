import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests start programs of their own, and wait for them about as often as they work.
    maxWorkers: 3,
    // A busy machine with two cores runs some tests ten times slower than a quiet one.
    testTimeout: 20_000,
    // Hooks start the oracle, agents and hubs.
    hookTimeout: 60_000,
  },
});
