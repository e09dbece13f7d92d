import type { Ledger } from '../ledger/ledger.ts';
import type { Recorder } from '../ledger/recorder.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { Policy } from '../policy/document.ts';
import type { Admit } from './admission.ts';
import type { DomainData } from './domain-data.ts';
import type { DomainCoverage } from './release-coverage.ts';
import type { Shadow } from './shadow.ts';
import type { Veto } from './veto.ts';

/** What the border decides by, and where it writes down what it has decided. */
export interface Border extends DomainCoverage {
  /** The policy in force. It may be another one from one call to the next. */
  policy(): Policy;
  readonly data: DomainData;
  status(): DomainStatus;
  /** Nothing leaves before it is recorded. */
  readonly recorder: Recorder;
  /** Whose growth a hub may have proved; where it is left out nobody can ask. */
  readonly ledger?: Pick<Ledger, 'consistency' | 'head'> | undefined;
  /** Where requests wait for their turn; all are answered at once when left out. */
  readonly admit?: Admit | undefined;
  /** Has the last word before anything is looked up, and can only say no. */
  readonly veto?: Veto | undefined;
  /** Sees what is decided. */
  readonly shadow?: Shadow | undefined;
  /** Told of the cells (groups x steps) that were left out because too few series were behind them. */
  readonly onSuppressed?: ((cells: number) => void) | undefined;
}
