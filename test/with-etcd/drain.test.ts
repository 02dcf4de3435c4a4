/** The same as test/drain.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../drain.test.ts'));
