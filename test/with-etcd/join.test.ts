/** The same as test/join.test.ts, with the record of the cluster in an etcd. */
import { withEtcd } from '../support/stores.ts';

await withEtcd(() => import('../join.test.ts'));
