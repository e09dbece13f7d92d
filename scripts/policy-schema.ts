import { writeFileSync } from 'node:fs';
import { policyJsonSchema } from '../src/policy/json-schema.ts';

/** Writes rules/policy.schema.json, which editors read; a test says when it is not current. */
writeFileSync(new URL('../rules/policy.schema.json', import.meta.url), policyJsonSchema());
