/** What the monitor has seen. */
export type MonitorEvent =
  /** Somebody has killed a husk; it is held until it is ended. */
  | { readonly kind: 'killed'; readonly pid: number }
  /** A signal that the loop of a husk cannot record. */
  | { readonly kind: 'signal'; readonly pid: number; readonly information: Uint8Array }
  /** A watched process, or husk, has ended. Its parent may not have collected it yet. */
  | { readonly kind: 'ended'; readonly pid: number; readonly status: number }
  /** Its parent has collected it. */
  | { readonly kind: 'collected'; readonly pid: number };
