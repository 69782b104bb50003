// Starts the deployed server and asks it for real. argv: the folder of all deployments.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fail, finish, nameFrom, parameters, TRY_AGAIN, WRONG_DATA } from './step.mjs';

const main = join(
  process.argv[2],
  nameFrom(process.env.COLMEIA_INSTANCE, 'the company'),
  nameFrom(parameters.app, 'app'),
  'current/server/main.js',
);
const server = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = await Promise.race([once(server.stdout, 'data'), once(server, 'exit').then(() => [''])]);
const port = /listening on (\d+)/.exec(String(line))?.[1];
if (port === undefined) fail(TRY_AGAIN, 'the deployed server did not start');

const get = async (path) => (await fetch(`http://127.0.0.1:${port}${path}`)).json();
const health = await get('/health');
const price = await get('/price?unit=100&quantity=10');
server.kill();
if (health.version !== parameters.expect_version) {
  fail(WRONG_DATA, `version ${health.version} was deployed, but ${parameters.expect_version} was expected`);
}
if (price.cents !== 900) fail(WRONG_DATA, `10 pieces cost ${price.cents} cents, but should cost 900`);
finish({ version: health.version, cents: price.cents });
