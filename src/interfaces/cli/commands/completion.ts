import type { Command, Option } from 'commander';
import { CliError, EXIT } from '../cli-error.ts';
import type { CommandSetup } from '../program.ts';
import { nearestName } from '../../../platform/contracts/nearest-name.ts';

const SHELLS: Record<string, (words: Map<string, string[]>) => string> = { bash, zsh, fish };

export function completionCommand(program: Command, { action }: CommandSetup): void {
  program
    .command('completion')
    .description('print the completion for a shell: bash, zsh or fish')
    .argument('<shell>')
    .addHelpText('after', '\nAs in: source <(colmeia completion bash)')
    .action(
      action<[string]>(async (session, shell) => {
        const write = SHELLS[shell];
        if (write === undefined) {
          const near = nearestName(shell, Object.keys(SHELLS));
          throw new CliError(
            EXIT.usage,
            `no completion for "${shell}"${near === null ? '' : `, did you mean ${near}`}? There is one for bash, zsh and fish`,
          );
        }
        const text = write(wordsOf(program));
        session.print({ shell, script: text }, () => text);
      }),
    );
}

/** For each command ('' = none yet, 'keys create' = one of a group) the words that may follow. */
export function wordsOf(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>();
  const globals = program.options.map(longOf);
  const visit = (command: Command, path: string): void => {
    const names = command.commands
      .filter((one) => one.name() !== 'help')
      .flatMap((one) => [one.name(), ...one.aliases()]);
    const options = command.options.map(longOf).filter((one) => !globals.includes(one));
    words.set(path, [...names, ...options, ...globals, '--help']);
    for (const one of command.commands)
      for (const name of [one.name(), ...one.aliases()]) visit(one, path === '' ? name : `${path} ${name}`);
  };
  visit(program, '');
  return words;
}

function longOf(option: Option): string {
  return option.long ?? option.short!;
}

function bash(words: Map<string, string[]>): string {
  const cases = [...words].map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`).join('\n');
  return `_colmeia() {
  local word=\${COMP_WORDS[COMP_CWORD]} path='' one words=''
  for one in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $one in -*) ;; *) [ "$(printf '%s' "$path" | wc -w)" -lt 2 ] && path="\${path:+$path }$one" ;; esac
  done
  case $path in
${cases}
    *) case \${path%% *} in
${cases.replaceAll(/^ {4}/gm, '      ')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _colmeia colmeia
`;
}

function zsh(words: Map<string, string[]>): string {
  return `#compdef colmeia\nautoload -Uz bashcompinit && bashcompinit\n${bash(words)}`;
}

function fish(words: Map<string, string[]>): string {
  const lines: string[] = ['complete -c colmeia -f'];
  for (const [path, next] of words) {
    const [first, second] = path.split(' ');
    const when =
      path === ''
        ? '__fish_use_subcommand'
        : [
            '__fish_seen_subcommand_from ' + first,
            ...(second === undefined ? [] : ['__fish_seen_subcommand_from ' + second]),
          ].join('; and ');
    for (const word of next)
      lines.push(
        word.startsWith('--')
          ? `complete -c colmeia -n '${when}' -l ${word.slice(2)}`
          : `complete -c colmeia -n '${when}' -a ${word}`,
      );
  }
  // Files are wanted where a command reads one.
  lines.push("complete -c colmeia -n '__fish_seen_subcommand_from run replan set' -F");
  return `${lines.join('\n')}\n`;
}
