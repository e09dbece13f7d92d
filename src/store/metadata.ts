import { LIMITS } from '../base/limits.ts';
import type { Metadata } from '../model/batch.ts';

/** What is known of metric families, by name. */
export interface MetadataTable {
  /** Takes news in, provisionally; false when it is none, or when there is no room for another family. */
  stage(metadata: Metadata): boolean;
  readonly staged: Iterable<Metadata>;
  commit(): void;
  discard(): void;
  all(): Iterable<Metadata>;
}

export function metadataTable(
  stored: Iterable<Metadata>,
  familiesMax: number = LIMITS.metadataFamilies,
): MetadataTable {
  const families = new Map<string, Metadata>();
  const staged = new Map<string, Metadata>();
  let fresh = 0;
  for (const metadata of stored) families.set(metadata.metric, metadata);

  function discard(): void {
    staged.clear();
    fresh = 0;
  }

  return {
    stage(metadata) {
      const { metric } = metadata;
      const known = staged.get(metric) ?? families.get(metric);
      if (known === undefined) {
        if (families.size + fresh >= familiesMax || saysNothing(metadata)) return false;
        fresh++;
        staged.set(metric, metadata);
        return true;
      }
      const type = metadata.type === 'unknown' ? known.type : metadata.type;
      const help = metadata.help === '' ? known.help : metadata.help;
      const unit = metadata.unit === '' ? known.unit : metadata.unit;
      if (type === known.type && help === known.help && unit === known.unit) return false;
      staged.set(metric, { metric, type, help, unit });
      return true;
    },
    get staged() {
      return staged.values();
    },
    commit() {
      for (const [metric, metadata] of staged) families.set(metric, metadata);
      discard();
    },
    discard,
    all: () => families.values(),
  };
}

function saysNothing({ type, help, unit }: Metadata): boolean {
  return type === 'unknown' && help === '' && unit === '';
}
