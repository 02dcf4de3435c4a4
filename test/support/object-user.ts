/** A program that grabs an object and keeps it: `node object-user.ts SOCKET SET OBJECT [OWNER]`; says what it has, or which error it got. */
import { KorriganError, toKorriganError } from '../../src/linux/errors.ts';
import { SharedObjects } from '../../src/node/index.ts';

const [socket = '', set = '', object = '', owner] = process.argv.slice(2);
try {
  const objects = await SharedObjects.connect(socket);
  const numbers = await objects.open<number>(set, owner === undefined ? {} : { owner: Number(owner) });
  const hold = await numbers.grab(Number(object));
  console.log(`has ${hold.content ?? 'nothing'}`);
  setInterval(() => undefined, 1000);
} catch (error) {
  if (!(error instanceof KorriganError)) throw error;
  console.log(toKorriganError(error).code);
}
