/** What nodes say to each other about the register of the cluster's record. */
import { z } from 'zod';
import { defineCall, defineNotice } from '../rpc/index.ts';
import { viewSchema } from './view.ts';

const node = z.int();
export const ballotSchema = z.object({ round: z.int().nonnegative(), node });
export const acceptedSchema = z.object({ ballot: ballotSchema, value: viewSchema, before: z.array(node).readonly().optional() });

/** To an acceptor: the request of a proposal, with its answer. */
export const registerCall = defineCall(
  'hotplug.register',
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('prepare'), ballot: ballotSchema }),
    acceptedSchema.extend({ kind: z.literal('accept') }),
  ]),
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('promised'), ballot: ballotSchema, accepted: acceptedSchema.optional() }),
    z.object({ kind: z.literal('accepted'), ballot: ballotSchema, isFinal: z.boolean() }),
    z.object({ kind: z.literal('refused'), ballot: ballotSchema, promised: ballotSchema }),
  ]),
);

/** To everybody: this record was chosen, by the proposal with this ballot. */
export const chosenNotice = defineNotice('hotplug.chosen', z.object({ ballot: ballotSchema, value: viewSchema }));
