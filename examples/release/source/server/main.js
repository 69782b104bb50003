import { createServer } from 'node:http';
import { priceOf } from './price.js';

const version = '__VERSION__';

createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const answer = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (url.pathname === '/health') return answer(200, { status: 'healthy', version });
  if (url.pathname !== '/price') return answer(404, { detail: 'not found' });
  try {
    answer(200, { cents: priceOf(Number(url.searchParams.get('unit')), Number(url.searchParams.get('quantity'))) });
  } catch (error) {
    answer(400, { detail: error.message });
  }
}).listen(Number(process.env.PORT ?? 0), '127.0.0.1', function () {
  console.log(`listening on ${this.address().port}`);
});
