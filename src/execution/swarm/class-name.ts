/** The key of a class of tickets in one line, for people and autoscalers. */
export const classNameOf = (key: string): string => key.split('\n').filter(Boolean).join(' ');
