import type { Admission } from '../../model/admission.ts';
import type { MetricFamily } from './family.ts';
import type { Intake } from './intake.ts';
import type { PointRejectReason } from './rejections.ts';
import type { ResourceContext } from './resource.ts';

/** Where points are added, and what those of one metric of one resource have in common. */
export interface PointContext {
  readonly intake: Intake;
  readonly admission: Admission;
  readonly resource: ResourceContext;
  readonly family: MetricFamily;
}

/** What all points have. */
export interface PointTimes {
  readonly timeMs: number;
  /** 0 where it is unknown. */
  readonly startMs: number;
  /** The series ended: the point has no value. */
  readonly stale: boolean;
}

/** Rejects one point of the context's metric. */
export function rejectPoint(context: PointContext, reason: PointRejectReason, detail: string): void {
  context.intake.rejected.add(reason, `${context.family.shownName}: ${detail}`);
}
