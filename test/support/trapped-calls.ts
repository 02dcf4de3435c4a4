/** Whoever plays the daemon of a container lets the calls go on that its filter always traps, such as setpgid(2). */
import { type Container, TrappedCallSlots } from '../../src/container/index.ts';
import { EPOLL, Epoll, syscall } from '../../src/linux/index.ts';

const POLL_MILLISECONDS = 2;

/** Until it is disposed of, before the container is destroyed. */
export function letTrappedCallsGoOn(container: Container): Disposable {
  const { reaper, trappedCalls } = container.takeEvents();
  syscall('close', reaper);
  const calls = TrappedCallSlots.open(container.initPid, trappedCalls);
  const epoll = new Epoll();
  epoll.add(trappedCalls, EPOLL.in);
  const serving = setInterval(() => {
    if (epoll.wait(0).length === 0) return;
    const call = calls.receive();
    if (call !== undefined) calls.answer(call, { kind: 'continue' });
  }, POLL_MILLISECONDS);
  return {
    [Symbol.dispose]: () => {
      clearInterval(serving);
      epoll[Symbol.dispose]();
      calls.close();
    },
  };
}
