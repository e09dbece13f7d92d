import { expect, it } from 'vitest';
import { randomFrom } from '../../random.ts';
import { openDashboard, randomPanel } from './dashboard.ts';

const seed = Number(process.env['COMITY_SEED'] ?? 1);
const rounds = Number(process.env['ROUNDS'] ?? 3);
const REFRESHES = 40;

for (let round = 0; round < rounds; round++) {
  const own = seed + round;
  it(
    `a dashboard refreshed over and over says the same with the cache and without, seed ${own}`,
    { timeout: 120_000 },
    async () => {
      const random = randomFrom(own);
      const dashboard = await openDashboard({ seed: own, cacheBytes: random.pick([64, 1, 0.05]) * 1024 * 1024 });
      try {
        const panels = Array.from({ length: 8 }, () => randomPanel(random));
        for (let refresh = 0; refresh < REFRESHES; refresh++) {
          await dashboard.live(
            random.weighted([
              [6, 1],
              [2, 2],
              [1, 10],
              [1, 0],
            ]),
          );
          // What is kept while samples come in at the same time must be right later on.
          if (random.chance(0.2)) {
            await Promise.all([
              dashboard.live(1),
              ...panels.map((panel) => dashboard.ask(panel, true)),
              ...panels.map((panel) => dashboard.ask(panel, true)),
            ]);
          }
          for (const panel of random.subset(panels, 0.5)) expect(await dashboard.difference(panel)).toBeUndefined();
          if (random.chance(0.05)) panels[random.int(0, panels.length - 1)] = randomPanel(random);
        }
        // How many depends on the room that it has, which may be for a few columns only.
        expect(dashboard.cache.counts().hits).toBeGreaterThan(0);
      } finally {
        await dashboard.close();
      }
    },
  );
}
