import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
const base64 = (bytes: number): string => randomBytes(bytes).toString('base64');
const word = (length: number): string => randomBytes(length).toString('base64url').slice(0, length);

const PEM = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });

function jwt(): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ role: 'service_role', jti: hex(8) })}`;
  return `${body}.${createHmac('sha256', hex(16)).update(body).digest('base64url')}`;
}

/** Thirty secrets of the shapes that companies have, each different in every call. */
export function thirtySecrets(): string[] {
  return [
    `postgresql://acme:${word(20)}@db.acme.example:5432/acme?sslmode=require`,
    `postgres://acme:${encodeURIComponent(`p@ss/${word(8)}:?#`)}@[::1]/acme`,
    `mongodb+srv://svc:${word(16)}@cluster0.acme.example/?retryWrites=true`,
    `https://deploy:${word(24)}@git.acme.example/acme.git`,
    jwt(),
    jwt().split('.')[2]!,
    `${PEM as string}${hex(8)}\n`,
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${base64(180)}\n${base64(60)}\n-----END OPENSSH PRIVATE KEY-----`,
    `sbp_${hex(20)}`,
    `sb_secret_${word(22)}_${word(8)}`,
    `ATATT3xFfGF0${word(160)}=${hex(4).toUpperCase()}`,
    `sk_live_${word(24)}`,
    `whsec_${base64(24)}`,
    `AKIA${hex(8).toUpperCase()}`,
    base64(30),
    `ghp_${word(36)}`,
    `xoxb-${Math.floor(1e11 + Math.random() * 9e11)}-${word(24)}`,
    `{"type":"service_account","private_key_id":"${hex(20)}","note":"a \\"quoted\\" word"}`,
    `it's "quoted" ${word(12)} \\ back\\slash`,
    `line one ${word(10)}\nline two ${word(10)}\r\n\ttabbed ${word(10)}`,
    `señal-ção-${word(10)}-日本語-🔑`,
    `100%25 ${word(12)} %00%0a`,
    `$(id) \`${word(12)}\` \${HOME} ; rm -rf`,
    `<script>${word(12)}</script>&amp;`,
    `=${word(14)}==&a=b c+d`,
    ` leading and trailing ${word(10)} `,
    `${word(8)}`,
    Buffer.from(`user:${word(18)}`).toString('base64'),
    `Bearer ${word(40)}`,
    word(4_000),
  ];
}

/** A secret as it may be written somewhere, of which none may leave. */
function writtenForms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    inJson,
    JSON.stringify(inJson).slice(1, -1),
    encodeURIComponent(secret),
    bytes.toString('hex'),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    // cut, as a message is that was too long
    ...(secret.length > 100 ? [inJson.slice(0, 96)] : []),
  ];
}

/** Finds planted secrets in texts. */
export class SecretFinder {
  readonly #planted: { place: string; secret: string; forms: string[] }[] = [];

  plant(place: string, secrets: readonly string[]): void {
    for (const secret of secrets) this.#planted.push({ place, secret, forms: [...new Set(writtenForms(secret))] });
  }

  get count(): number {
    return this.#planted.length;
  }

  /** What is in the text, as `place: beginning of the secret`. */
  findIn(text: string): string[] {
    return this.#planted
      .filter(({ forms }) => forms.some((form) => text.includes(form)))
      .map(({ place, secret }) => `${place}: ${JSON.stringify(secret.slice(0, 40))}`);
  }

  /** As it is only: for large files. */
  findInBytes(bytes: Buffer): string[] {
    return this.#planted
      .filter(({ secret }) => bytes.includes(secret))
      .map(({ place, secret }) => `${place}: ${JSON.stringify(secret.slice(0, 40))}`);
  }
}
