import type { Meter, Tracer } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { EXPORT_INTERVAL_MS } from './topology.ts';

/** The OpenTelemetry SDK of one service instance. */
export interface Telemetry {
  readonly meter: Meter;
  readonly tracer: Tracer;
  /** Exports what is left, within a second, and stops. */
  shutdown(): Promise<void>;
}

/**
 * Sets up what OpenTelemetry keeps once a process: the context that follows asynchronous work, and W3C trace context
 * in headers. The provider made here exports nothing; each instance has its own.
 */
export function installContextPropagation(): void {
  new NodeTracerProvider().register();
}

/** Meter and tracer of one service instance, exporting OTLP/HTTP protobuf to the agent at `otlpUrl`. */
export function startTelemetry(service: string, instance: string, otlpUrl: string): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': service,
    'service.namespace': 'shop',
    'service.instance.id': instance,
    'service.version': '1.4.2',
  });
  const exporterTimeoutMs = EXPORT_INTERVAL_MS - 500;
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${otlpUrl}/v1/metrics`, timeoutMillis: exporterTimeoutMs }),
        exportIntervalMillis: EXPORT_INTERVAL_MS,
        exportTimeoutMillis: exporterTimeoutMs,
      }),
    ],
  });
  const tracers = new NodeTracerProvider({
    resource,
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter({ url: `${otlpUrl}/v1/traces`, timeoutMillis: exporterTimeoutMs }), {
        scheduledDelayMillis: EXPORT_INTERVAL_MS,
      }),
    ],
  });
  return {
    meter: meters.getMeter('comity-demo'),
    tracer: tracers.getTracer('comity-demo'),
    async shutdown() {
      const stopped = Promise.allSettled([meters.shutdown({ timeoutMillis: 1_000 }), tracers.shutdown()]);
      await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    },
  };
}
