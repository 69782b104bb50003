/** POSTs of Jira that only read, for the site's `isRead`: they are repeated like a GET. */
const READING = /^\/rest\/api\/3\/(search\/(jql|approximate-count)|issue\/bulkfetch|comment\/list)$/;

export function isAtlassianRead(method: string, path: string): boolean {
  return method === 'POST' && READING.test(path);
}
