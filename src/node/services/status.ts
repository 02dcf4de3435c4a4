/** What a node says of itself. */
import { freemem, loadavg, totalmem } from 'node:os';
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import { defineCall } from '../../rpc/index.ts';
import type { DaemonStatus } from '../api/types.ts';
import { processesOf } from './process-list.ts';

/** Asks a node's daemon how it is. */
export const askStatus = defineCall(
  'node.status',
  z.object({}),
  z.object({
    pid: z.int(),
    version: z.string(),
    containerPid: z.int(),
    loadAverage: z.tuple([z.number(), z.number(), z.number()]),
    memory: z.object({ totalBytes: z.number(), availableBytes: z.number() }),
    processes: z.int(),
    startedAt: z.number(),
  }),
);

const startedAt = Date.now();

export function statusOf(container: Container, version: string, isHusk: (pid: number) => boolean): DaemonStatus {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    pid: process.pid,
    version,
    containerPid: container.initPid,
    loadAverage: [one, five, fifteen],
    memory: { totalBytes: totalmem(), availableBytes: freemem() },
    processes: processesOf(container, '', isHusk).filter(({ kind }) => kind === 'process').length,
    startedAt,
  };
}
