/** The same as test/node-death.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../node-death.test.ts'));
