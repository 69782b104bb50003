/**
 * The key of a class of tickets (classKeyOf) as people, metrics and autoscalers name it: `BUILD`, `BUILD.node.gpu`,
 * `paint.in-eu.restricted`. What is ordinary is left out.
 */
export function classNameOf(key: string): string {
  const [type, custom, securityLevel, region, ...capabilities] = key.split('\n');
  return [
    custom || type,
    ...capabilities.filter(Boolean),
    ...(region ? [`in-${region}`] : []),
    ...(securityLevel === 'INTERNAL' ? [] : [securityLevel.toLowerCase()]),
  ].join('.');
}
