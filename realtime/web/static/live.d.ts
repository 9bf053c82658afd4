// Types of live.js. Times are milliseconds UTC; 0 means "not yet". docs/protocol.md says what the fields mean.

export type Via = "websocket" | "sse" | "polling";
export type LiveState = "live" | "catching_up" | "stale";

export interface Ticket {
  id: number;
  queue: string;
  label: string;
  state: string;
  desk: string;
  place: number;
  called_ms: number;
  /** From here on the staff only. */
  name?: string;
  phone?: string;
  email?: string;
  party?: number;
  walk_in?: boolean;
  calls?: number;
  joined_ms?: number;
  served_ms?: number;
  ended_ms?: number;
  seen_ms?: number;
  unreached_ms?: number;
  notices?: { by: string; moment: string; state: string; at_ms: number; why: string }[];
}

export interface Queue {
  id: string;
  name: string;
  waiting_text: string;
  end_text: string;
  paused: boolean;
  pace_ms: number;
  logo: string;
}

export interface Step {
  channel: string;
  after_s: number | null;
}

export interface Store {
  id: string;
  name: string;
  description: string;
  timezone: string;
  accent: string;
  state: string;
  opened_ms: number;
  closes_ms: number;
  /** From here on the owner only. */
  almost_at?: number;
  board_code?: boolean;
  board_link?: string;
  ladder?: Step[];
  quiet_hours?: string;
}

export interface Code {
  number: number;
  expires_ms: number;
  link: string;
  svg: string;
}

/** A whole state of a store. On a topic `ticket/...` it is the ticket as `GET /v1/ticket` shows it instead. */
export interface Snapshot {
  store: Store;
  queues: Queue[];
  tickets: Ticket[];
  code?: Code | null;
}

/** One change: the thing it names is from now on exactly as given. */
export interface Push {
  topic: string;
  seq: number;
  at_ms: number;
  change?: string;
  ticket?: Ticket;
  pace_ms?: number;
  queue?: Queue;
  store?: Store;
  code?: Code | null;
  own?: Record<string, any>;
}

export interface State {
  seq: number;
  store: Store | null;
  queues: Map<string, Queue>;
  tickets: Map<number, Ticket>;
  code: Code | null;
}

/** Who looks at a store. */
export interface Presence {
  topic: string;
  public: number;
  boards: number;
  owners: number;
  /** Tickets whose page is open. */
  open: number[];
  /** Whether those are all of them. */
  all: boolean;
}

/** Why it is over: close code (0: none), wire code, sentence for a person. */
export interface Final {
  code: number;
  error: string;
  message: string;
}

export interface LiveOptions {
  /**
   * Asked for at each connect; `renew`: a fresh one is needed. An error with a 4xx `status` and no `retry` ends the connection; any other
   * is tried again.
   */
  token: (renew: boolean) => string | Promise<string>;
  /** Default: those that the server names each time it accepts the token. */
  topics?: string[];
  /** Default true; false: every connection begins with whole snapshots. */
  resume?: boolean;
  /** In order; may be repeated after a break, so apply it as an upsert. */
  onPush: (push: Push) => void;
  /** Replaces all that is known of the topic. On a topic `ticket/...` it has the fields of a ticket as `GET /v1/ticket` shows it, and no others. */
  onSnapshot: (topic: string, snapshot: Snapshot & { [ofATicket: string]: any }, seq: number) => void;
  /** On owner topics, now and then; not while polling. */
  onPresence?: (presence: Presence) => void;
  /** `sinceMs`: when the server was last heard. */
  onState?: (state: LiveState, sinceMs: number) => void;
  /** It is over and does not come back. */
  onFinal?: (final: Final) => void;
  /** The server's word about the token: `as`, `store_id`, `topics`, `expires_ms`. */
  onSignedIn?: (ok: any) => void;
  /** The server's longest pause between two pings. */
  pingMs?: number;
}

/** A connection that keeps itself alive until `close()` or a final answer. */
export class Live {
  constructor(options: LiveOptions);
  /** The way to the server at the moment. */
  readonly via: Via;
  /** Sends a command of docs/protocol.md, such as `{ call_next: { store_id, queue, desk } }`; resolves to the server's `ok`, rejects with a LiveError. */
  send(command: Record<string, any>): Promise<any>;
  /** Ends it for good. */
  close(): void;
}

/** A command that was refused, or got no answer (`code` "dropped", `retry` true). */
export class LiveError extends Error {
  constructor(error: { code: string; message: string; retry?: boolean; field?: string | null });
  readonly code: string;
  readonly retry: boolean;
  readonly field: string | null;
}

export function connect(options: LiveOptions): Live;

export interface Verdict {
  /** Whether coming back may help. */
  again: boolean;
  sentence: string;
}

export const CLOSE_CODES: Readonly<Record<number, Verdict>>;
export function verdict(code: number, reason?: string): Verdict;

export function emptyState(): State;
export function fromSnapshot(snapshot: Snapshot, seq: number): State;
/** A new state, or the same object when nothing changed. */
export function applyPush(state: State, push: Push): State;
/** The waiting parties in the order in which they will be called. */
export function waiting(state: State, queue?: string): Ticket[];
/** Parties waiting before this one in its queue. */
export function ahead(state: State, ticketId: number): number;
/** Those at or on their way to a desk, the last called first. */
export function nowServing(state: State): Ticket[];
/** Those whose call is over, the last called first. */
export function lastCalled(state: State, most?: number): Ticket[];
export function counts(state: State, queue?: string): { waiting: number; called: number; serving: number };
/** The likely wait as [from, to]; empty while the pace is unknown. */
export function minutes(paceMs: number, ahead: number): [number, number] | [];

export function statusText(state: LiveState, sinceMs: number): string;
/** Fills an element with the status, in English unless other words are given; usable as `onState`. */
export function showStatus(element: HTMLElement, words?: (state: LiveState, sinceMs: number) => string): (state: LiveState, sinceMs: number) => void;
