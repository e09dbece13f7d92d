import { parentPort, workerData } from 'node:worker_threads';
import { verifierOf } from '../base/note-key.ts';
import { toComityError } from '../base/errors.ts';
import { makeReport } from '../ledger/report/make-report.ts';
import { reportPage } from '../ledger/report/page.ts';
import type { ReportAnswer, ReportStart } from './compliance-api.ts';

/** Makes one report and ends: adding up a long ledger takes seconds, which ingest must not wait for. */
const { path, vkey, options, format } = workerData as ReportStart;

parentPort!.postMessage(answer());

function answer(): ReportAnswer {
  try {
    const report = makeReport(path, [verifierOf(vkey)], options);
    return { text: format === 'html' ? reportPage(report) : JSON.stringify(report) };
  } catch (error) {
    const { code, message } = toComityError(error);
    return { code, message };
  }
}
