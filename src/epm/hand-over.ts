/**
 * The hand-over of a moving application between two nodes, as two pure state machines. The source decides, once; its decision is in its
 * journal before anybody hears of it. What each side's copy may do follows from its state alone:
 *
 *   source: preparing ─ frozen ─ committed ─ done          its copy runs in preparing and aborted, never from committed on
 *                 └───────┴─ aborted
 *   target: preparing ─ imported ─ running                 its copy runs in running only
 *                 └────────┴─ discarded
 *
 * A side that restarts continues from its journal. Messages may be lost or doubled; a side that waits asks again (`tick`). While the
 * link is cut between `imported` and the decision, the target's copy stays stopped until the source answers or is declared dead.
 */
export type SourceState = 'preparing' | 'frozen' | 'committed' | 'done' | 'aborted';
export type TargetState = 'preparing' | 'imported' | 'running' | 'discarded';

/** What one side tells the other. `ask` wants the decision; `running` also answers a repeated `commit`. */
export type Message = 'imported' | 'refused' | 'ask' | 'commit' | 'abort' | 'running';

export type SourceEvent =
  /** All threads are stopped and held. */
  | { kind: 'frozen' }
  /** Something failed here, before the decision. */
  | { kind: 'failed' }
  | { kind: 'message'; message: Message }
  /** The link is gone. Before the decision the move is given up; after it the source goes on telling. */
  | { kind: 'link-lost' }
  /** Membership declared the target dead: nothing runs there any more. */
  | { kind: 'peer-dead' }
  /** The daemon was started again and reads this state from its journal. */
  | { kind: 'restarted' }
  /** Time passes without an answer. */
  | { kind: 'tick' };

export type TargetEvent =
  /** Everything is restored; the copy is stopped. */
  | { kind: 'imported' }
  | { kind: 'failed' }
  | { kind: 'message'; message: Message }
  | { kind: 'link-lost' }
  | { kind: 'peer-dead' }
  | { kind: 'restarted' }
  | { kind: 'tick' };

/** What a side does, in this order, after its new state is in its journal. */
export type Effect =
  | { kind: 'send'; message: Message }
  /** Source: the processes go on here as if nothing had been. */
  | { kind: 'resume' }
  /** Source: the processes become husks. */
  | { kind: 'deflate' }
  /** Target: the imported processes run. */
  | { kind: 'run' }
  /** Target: what was made is removed. */
  | { kind: 'discard' }
  /** Source: the target died with the processes; their relatives here are told that they were killed. */
  | { kind: 'declare-killed' };

export interface Step<State> {
  state: State;
  effects: readonly Effect[];
}

const send = (message: Message): Effect => ({ kind: 'send', message });

function stay<State>(state: State, ...effects: Effect[]): Step<State> {
  return { state, effects };
}

function abort(): Step<SourceState> {
  return { state: 'aborted', effects: [{ kind: 'resume' }, send('abort')] };
}

export function stepSource(state: SourceState, event: SourceEvent): Step<SourceState> {
  switch (state) {
    case 'preparing':
      if (event.kind === 'frozen') return stay('frozen');
      return event.kind === 'tick' ? stay(state) : abort();
    case 'frozen':
      if (event.kind === 'message' && event.message === 'imported') return stay('committed', send('commit'));
      // A question before the vote is an echo of a restart there; the vote follows.
      if (event.kind === 'tick' || event.kind === 'frozen' || (event.kind === 'message' && event.message === 'ask')) return stay(state);
      return abort();
    case 'committed':
      if (event.kind === 'message' && event.message === 'running') return stay('done', { kind: 'deflate' });
      if (event.kind === 'peer-dead') return stay('done', { kind: 'deflate' }, { kind: 'declare-killed' });
      return event.kind === 'link-lost' ? stay(state) : stay(state, send('commit'));
    case 'done':
      if (event.kind === 'restarted') return stay(state, { kind: 'deflate' });
      return event.kind === 'message' && event.message !== 'running' ? stay(state, send('commit')) : stay(state);
    case 'aborted':
      if (event.kind === 'restarted') return stay(state, { kind: 'resume' });
      return event.kind === 'message' ? stay(state, send('abort')) : stay(state);
  }
}

export function stepTarget(state: TargetState, event: TargetEvent): Step<TargetState> {
  const discard = (...effects: Effect[]): Step<TargetState> => ({ state: 'discarded', effects: [{ kind: 'discard' }, ...effects] });
  switch (state) {
    case 'preparing':
      if (event.kind === 'imported') return stay('imported', send('imported'));
      if (event.kind === 'failed') return discard(send('refused'));
      if (event.kind === 'message' && event.message !== 'abort') return stay(state);
      return event.kind === 'tick' ? stay(state) : discard();
    case 'imported':
      if (event.kind === 'message' && event.message === 'commit') return stay('running', { kind: 'run' }, send('running'));
      if (event.kind === 'message' && event.message === 'abort') return discard();
      // The source died with its undecided copy: this one is the only one left.
      if (event.kind === 'peer-dead') return stay('running', { kind: 'run' });
      // The vote may have been lost with the link or the daemon: it is cast again.
      return event.kind === 'link-lost' ? stay(state) : stay(state, send('imported'));
    case 'running':
      if (event.kind === 'restarted') return stay(state, { kind: 'run' });
      return event.kind === 'message' && event.message === 'commit' ? stay(state, send('running')) : stay(state);
    case 'discarded':
      if (event.kind === 'restarted') return stay(state, { kind: 'discard' });
      return event.kind === 'message' && event.message === 'commit' ? stay(state, send('refused')) : stay(state);
  }
}

/** May the source's copy execute in this state? */
export function sourceMayRun(state: SourceState): boolean {
  return state === 'preparing' || state === 'aborted';
}

/** May the target's copy execute in this state? */
export function targetMayRun(state: TargetState): boolean {
  return state === 'running';
}
