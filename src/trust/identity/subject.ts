const SUBJECT = /^(user|team|service):[A-Za-z0-9](?:[A-Za-z0-9._+@-]{0,126}[A-Za-z0-9])?$/;

/** Whoever may hold keys and own companies, as `user:ana@acme.example`, `team:ops`, `service:billing`. */
export const isSubject = (text: unknown): text is string => typeof text === 'string' && SUBJECT.test(text);

export const SUBJECT_RULE =
  'must be user:, team: or service: and a name of 1 to 128 letters, digits and . _ + @ -, as user:ana@acme.example';
