import type { FastifyInstance } from 'fastify';

/** Whether the agent is there: what load balancers and supervisors ask, as they ask Prometheus. */
export function healthPages(app: FastifyInstance): void {
  app.get('/-/healthy', async () => 'Comity agent is healthy.\n');
  app.get('/-/ready', async () => 'Comity agent is ready.\n');
}

/** The same, and the agent's own metrics. */
export function ownPages(
  app: FastifyInstance,
  metrics: { readonly contentType: string; text(): Promise<string> },
): void {
  healthPages(app);
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
}
