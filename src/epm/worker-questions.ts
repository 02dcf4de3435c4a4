/** What a ghost worker asks its daemon's main thread about relays and signals. */
import type { MessagePort } from 'node:worker_threads';
import { KorriganError } from '../linux/index.ts';
import type { ProcService } from '../proc/index.ts';
import type { ArrivedRelay, NewRelay, RelayService, RelayState } from '../streams/index.ts';
import { answer, ask, type Asked } from './questions.ts';

export type RelayQuestion =
  | { kind: 'begin'; relay: NewRelay }
  | { kind: 'stop'; id: string }
  | { kind: 'come-home'; state: RelayState; waiting: number }
  | { kind: 'arriving'; relays: readonly ArrivedRelay[] };

/** About what waits here to be brought to processes; answered when it is done. */
export type SignalQuestion =
  | { kind: 'let-signals-through'; pids: readonly number[] }
  | { kind: 'keep-signals-back'; pids: readonly number[] }
  /** `mark` was written to the record pipe when the husks of these were held. */
  | { kind: 'signals-brought'; pids: readonly number[]; mark: number };

export type WorkerQuestion = RelayQuestion | SignalQuestion;

export interface WorkerAnswer {
  state?: RelayState | undefined;
  /** Descriptor of pid 1. */
  original?: number | undefined;
}

export interface AskedQuestion extends Asked {
  kind: 'question';
  question: WorkerQuestion;
}

const ANSWER_MILLISECONDS = 10_000;

/** On the worker's thread. @param post hands a message and what must be transferred with it to the main thread */
export function askQuestion(question: WorkerQuestion, post: (message: AskedQuestion, transfer: MessagePort[]) => void): WorkerAnswer {
  return ask((asked, transfer) => post({ kind: 'question', question, ...asked }, transfer), ANSWER_MILLISECONDS) as WorkerAnswer;
}

/** What answers. */
export interface Answering {
  readonly relays: RelayService;
  readonly proc: ProcService;
}

async function carryOut(question: WorkerQuestion, migration: string, { relays, proc }: Answering): Promise<WorkerAnswer> {
  switch (question.kind) {
    case 'begin':
      relays.begin(migration, question.relay);
      return {};
    case 'stop':
      return { state: relays.stop(migration, question.id) };
    case 'come-home':
      return { original: relays.comeHome(migration, question.state, question.waiting) };
    case 'arriving':
      relays.arriving(migration, question.relays);
      return {};
    case 'let-signals-through':
      proc.disturb(question.pids);
      return {};
    case 'keep-signals-back':
      await proc.leaveAlone(question.pids);
      return {};
    case 'signals-brought':
      await proc.signalsBrought(question.pids, question.mark);
      return {};
  }
}

/** On the main thread. Never throws. */
export function answerQuestion(asked: AskedQuestion, migration: string, answering: Answering): Promise<void> {
  return answer(asked, async () => {
    try {
      return await carryOut(asked.question, migration, answering);
    } catch (error) {
      if (error instanceof KorriganError) throw error;
      const { message } = error as Error;
      throw new KorriganError('KRG_INTERNAL', `a question of a move could not be answered (${asked.question.kind}): ${message}`, {
        cause: error,
      });
    }
  });
}
