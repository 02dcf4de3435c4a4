/** The worker of `readiness.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { Epoll } from '../linux/index.ts';
import type { Ready } from './readiness.ts';

const { epoll: fd, bell } = workerData as { epoll: number; bell: number };
const epoll = new Epoll(fd);

for (let goesOn = true; goesOn; ) {
  const ready: Ready = epoll.wait(-1).map((event) => [event.fd, event.events]);
  goesOn = !ready.some(([each]) => each === bell);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
  if (ready.length > 0) parentPort?.postMessage(ready);
}
