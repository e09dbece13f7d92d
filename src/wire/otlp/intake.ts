import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { batchBuilder, type BatchBuilder } from '../../model/batch-builder.ts';
import type { Metadata } from '../../model/batch.ts';
import {
  hearSign,
  heardStream,
  hearTime,
  resetTimes,
  signOf,
  silentTimes,
  type HeardTimes,
} from '../../model/heard-times.ts';
import type { HeardStream } from '../../model/stream.ts';
import { rejections, type Rejections } from './rejections.ts';
import type { ResourceContext } from './resource.ts';
import type { MetricFamily } from './family.ts';
import { addTargetInfo, TARGET_INFO } from './target-info.ts';
import type { Translation } from './translation.ts';

/** What is gathered of one request for metrics. */
export interface Intake {
  readonly builder: BatchBuilder;
  readonly rejected: Rejections;
  /** Points after this time are rejected. */
  readonly futureEndMs: number;
  readonly metadata: Map<string, Metadata>;
  readonly streams: Map<string, HeardStream>;
  /** Times of `target_info` so far, by series. */
  readonly infoTimes: Map<string, Set<number>>;
  /** The family whose metadata was noted last. */
  familyNoted: MetricFamily | undefined;
  taken: number;
  adds: boolean;
  /** Of the points of the resource at hand that were taken; `Infinity` and `-Infinity` when none was. */
  earliestMs: number;
  latestMs: number;
  /** What these say of their producer. */
  readonly heard: HeardTimes;
}

/** `capacity`: the rows that are likely. */
export function intake(nowMs: number, capacity = 256): Intake {
  return {
    builder: batchBuilder(capacity),
    rejected: rejections(),
    futureEndMs: nowMs + LIMITS.futureMs,
    metadata: new Map(),
    streams: new Map(),
    infoTimes: new Map(),
    familyNoted: undefined,
    taken: 0,
    adds: false,
    earliestMs: Infinity,
    latestMs: -Infinity,
    heard: silentTimes(),
  };
}

/** Notes that a point was taken, after its rows. `value`: of a gauge or sum. */
export function took(intake: Intake, family: MetricFamily, timeMs: number, isStale: boolean, value = 1): void {
  intake.taken++;
  if (intake.familyNoted !== family) {
    intake.familyNoted = family;
    intake.metadata.set(family.name, family.metadata);
  }
  if (timeMs < intake.earliestMs) intake.earliestMs = timeMs;
  if (timeMs > intake.latestMs) intake.latestMs = timeMs;
  if (family.scrapeMetric === undefined && !isStale) hearTime(intake.heard, timeMs);
  else hearSign(intake.heard, signOf(family.scrapeMetric, isStale, value), timeMs);
  if (intake.builder.rows > LIMITS.samplesPerRequest) throw tooManySamples();
}

/** After the points of a resource: its stream and its `target_info`. */
export function endResource(intake: Intake, resource: ResourceContext): void {
  const { earliestMs, latestMs } = intake;
  if (latestMs === -Infinity) return;
  intake.earliestMs = Infinity;
  intake.latestMs = -Infinity;
  // Several resources may be one stream: mostly they say the same of it.
  const heard = heardStream(resource.stream, intake.heard);
  intake.streams.set(JSON.stringify(heard), heard);
  resetTimes(intake.heard);
  if (resource.warning !== undefined) intake.rejected.warn(resource.warning);
  if (resource.info !== undefined) {
    intake.metadata.set(TARGET_INFO.metric, TARGET_INFO);
    addTargetInfo(intake.builder, resource.info, intake.infoTimes, earliestMs, latestMs);
  }
  if (intake.builder.rows > LIMITS.samplesPerRequest) throw tooManySamples();
}

export function translationOf(intake: Intake): Translation {
  const { builder, taken, adds } = intake;
  for (const metadata of intake.metadata.values()) builder.metadata(metadata);
  return {
    build: (delivery) => builder.build(delivery),
    adds,
    taken,
    rejected: intake.rejected.build(),
    streams: [...intake.streams.values()],
  };
}

function tooManySamples(): ComityError {
  return new ComityError(
    'body_too_large',
    `the request makes more than ${LIMITS.samplesPerRequest} samples. Send smaller batches`,
  );
}
