/** The worker that waits in the kernel (epoll) for what libuv cannot wait for, and hands it to the main thread. */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { hasSharedPid, namedProcess, TrappedCallSlots } from '../../container/index.ts';
import { drainEventfd, EPOLL, Epoll, PidNamespace } from '../../linux/index.ts';
import type { WatchCommand, WatchEvent, WatchWorkerData } from './watch-protocol.ts';

const { initPid, reaper, listener, bell, husks, commands } = workerData as WatchWorkerData & { commands: MessagePort };

function post(event: WatchEvent): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
  parentPort?.postMessage(event);
}

const epoll = new Epoll();
const slots = TrappedCallSlots.open(initPid, listener);
const pids = new PidNamespace(initPid);
let listening = true;
let areHusksKnown = false;

/** @returns whether to go on */
function obey(command: WatchCommand): boolean {
  switch (command.kind) {
    case 'answer':
      slots.answer(command, command.answer);
      return true;
    case 'husks-known':
      areHusksKnown = true;
      return true;
    case 'stop':
      return false;
  }
}

/** @returns whether to go on */
function obeyAll(): boolean {
  drainEventfd(bell);
  let goesOn = true;
  for (let message = receiveMessageOnPort(commands); message !== undefined; message = receiveMessageOnPort(commands)) {
    goesOn = obey(message.message as WatchCommand) && goesOn;
  }
  return goesOn;
}

/** @returns whether to go on */
function ready(fd: number): boolean {
  if (fd === bell) return obeyAll();
  if (fd === reaper) {
    drainEventfd(reaper);
    post({ kind: 'reaped' });
  } else if (fd === listener) receive();
  return true;
}

function receive(): void {
  const call = slots.receive();
  if (call === undefined) return;
  const pid = areHusksKnown ? namedProcess(call) : undefined;
  // The usual case, without a detour: the process is here.
  if (pid !== undefined && !hasSharedPid(husks, pid) && pids.toHere(pid) !== undefined) slots.answer(call, { kind: 'continue' });
  else post({ kind: 'trapped', call });
}

epoll.add(bell, EPOLL.in);
epoll.add(reaper, EPOLL.in);
epoll.add(listener, EPOLL.in);
for (const call of slots.inherited()) post({ kind: 'trapped', call });
while (slots.hasRoom && epoll.wait(0).some(({ fd }) => fd === listener)) receive();
post({ kind: 'caught-up' });
// What was reaped while no daemon watched.
post({ kind: 'reaped' });

for (let goesOn = true; goesOn; ) {
  for (const { fd } of epoll.wait(-1)) goesOn = ready(fd) && goesOn;
  if (listening !== slots.hasRoom) {
    listening = slots.hasRoom;
    epoll.modify(listener, listening ? EPOLL.in : 0);
  }
}
slots.close();
pids[Symbol.dispose]();
epoll[Symbol.dispose]();
