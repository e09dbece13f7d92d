import type { Canaries } from './canaries.ts';
import type { Crossings } from './crossings.ts';
import type { HostileHub } from './hostile-hub.ts';
import type { Delivery } from './world-data.ts';

/** What attempts are made in: a domain full of canaries whose agent they ask, and whatever else they need. */
export interface Arena {
  /** In bad faith, and with a valid token. */
  readonly hub: HostileHub;
  /** Of the last samples, in ms. */
  readonly endMs: number;
  readonly words: Canaries;
  readonly crossings: Crossings;
  /** A query with `$word` and `$number` replaced by a label's value and a sample's that the domain holds. */
  fill(query: string): string;
  /** A sender of the domain, at work. */
  deliver(delivery: Delivery): Promise<void>;
  /** One more agent over the same data, with more in its configuration file. The arena closes it. */
  agent(more: OtherAgent): Promise<OtherArena>;
  /** A hub in good faith over the agent at an address. The arena closes it. */
  honestHub(links: readonly HubLink[], more?: string): Promise<HonestHub>;
}

export interface OtherAgent {
  /** YAML at the end of its file. */
  readonly config?: string;
  /** In place of the world's. */
  readonly policy?: string;
  /** Of its store and ledger, so that another agent can be started over them; of its own when left out. */
  readonly dir?: string;
}

export interface OtherArena {
  readonly hub: HostileHub;
  readonly dir: string;
  close(): Promise<void>;
}

export interface HubLink {
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

export interface HonestHub {
  readonly url: string;
  /** Its folder, and what it has logged. */
  readonly dir: string;
  log(): string;
  close(): Promise<void>;
}
