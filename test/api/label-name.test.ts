import { expect, it } from 'vitest';
import { unescapeLabelName } from '../../src/api/label-name.ts';

it.each<[string, string]>([
  ['job', 'job'],
  ['U__http_2e_status', 'http.status'],
  ['U__a__b', 'a_b'],
  ['U___e4_x', 'äx'],
  ['U__ä_2e_x', 'ä.x'],
  ['U___1F600_', '😀'],
  // What does not read as an escaped name is a name.
  ['U__a_b', 'U__a_b'],
  ['U__a_', 'U__a_'],
  ['U___zz_', 'U___zz_'],
  ['U___0000e4_', 'U___0000e4_'],
  ['U___d83d_', 'U___d83d_'],
])('%s means %s', (name, want) => expect(unescapeLabelName(name)).toBe(want));
