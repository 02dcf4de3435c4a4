/** What the serving thread has asked the main thread and not been answered. An answer that does not come in time is an error: nobody is held up by a node that hangs. */
import { ERRNO, SyscallError } from '../linux/index.ts';
import type { ServerAnswers, ServerCommand, ServerQuestion, ServerRequest } from './server-protocol.ts';

/** More than what another node may take, and less than what anybody would wait for a list of processes. */
const DEADLINE_MILLISECONDS = 950;
/** While the daemon is just beginning: as long as the others wait for it. */
const BEGINNING_MILLISECONDS = 20_000;

interface Open {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: number;
}

export class Questions {
  private readonly send: (request: ServerRequest) => void;
  private readonly now: () => number;
  private readonly open = new Map<number, Open>();
  private next = 1;
  private deadlineMilliseconds = BEGINNING_MILLISECONDS;

  constructor(send: (request: ServerRequest) => void, now: () => number = () => performance.now()) {
    this.send = send;
    this.now = now;
  }

  /** @throws SyscallError of the answer, EIO when there is none in time */
  ask<Question extends ServerQuestion>(question: Question): Promise<ServerAnswers[Question['kind']]> {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve: resolve as Open['resolve'], reject, deadline: this.now() + this.deadlineMilliseconds });
      this.send({ id, question });
    });
  }

  /** Questions are answered from now on. */
  joined(): void {
    this.deadlineMilliseconds = DEADLINE_MILLISECONDS;
    for (const [id, question] of this.open) this.open.set(id, { ...question, deadline: this.now() + DEADLINE_MILLISECONDS });
  }

  answered({ id, value, errno }: Extract<ServerCommand, { kind: 'answer' }>): void {
    const question = this.open.get(id);
    this.open.delete(id);
    if (errno === undefined) question?.resolve(value);
    else question?.reject(new SyscallError('procfs', errno));
  }

  /** Milliseconds until the next deadline; -1 when nothing is asked. */
  get patience(): number {
    // In the order in which they were asked.
    for (const { deadline } of this.open.values()) return Math.max(0, Math.ceil(deadline - this.now()));
    return -1;
  }

  /** Gives up what is overdue. */
  expire(): void {
    for (const [id, { deadline, reject }] of this.open) {
      if (deadline > this.now()) return;
      this.open.delete(id);
      reject(new SyscallError('procfs', ERRNO.EIO));
    }
  }
}
