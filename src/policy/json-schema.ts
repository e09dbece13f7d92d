import { POLICY_SCHEMA } from './policy-schema.ts';

/** The schema of a policy's documents for editors, as JSON Schema (https://json-schema.org/draft/2020-12). */
export function policyJsonSchema(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'A document of a domain’s policy: what may leave the domain, and what is stored',
    ...(JSON.parse(JSON.stringify(POLICY_SCHEMA)) as object),
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}
