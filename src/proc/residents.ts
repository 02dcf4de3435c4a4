/** What is in a container when a daemon comes to it. */

/** A process or husk that a daemon finds in a container that it adopts. */
export interface Resident {
  readonly pid: number;
  /**
   * `template`: any husk that stands for nobody; `undecided`: on its way to this node or away again, and frozen; `unfinished`: what was to become
   * a husk when its daemon was killed.
   */
  readonly kind: 'process' | 'husk' | 'template' | 'undecided' | 'unfinished';
}
