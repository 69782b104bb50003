/** The style of the documentation page; its hash is in the page's policy. */
export const DOCS_STYLE = `
:root { --ink: #1d2129; --soft: #5b6472; --line: #dfe3e8; --page: #fff; --tint: #f5f6f8; --accent: #8a5a00; --code: #f1f3f5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #9aa4b2; --line: #333a44; --page: #14171c; --tint: #1b1f26; --accent: #f0b441; --code: #20252d }
}
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--page); font: 16px/1.55 system-ui, sans-serif; display: grid; grid-template-columns: 17rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem; background: var(--tint); border-right: 1px solid var(--line); font-size: .875rem }
nav a { display: block; padding: .1rem 0; overflow-wrap: anywhere }
nav h2 { margin: 1rem 0 .25rem; font-size: .875rem; text-transform: capitalize }
main { max-width: 60rem; padding: 2rem }
a { color: inherit; text-decoration-color: var(--line) }
a:hover, a:focus-visible { color: var(--accent); text-decoration-color: currentColor }
h1 { margin: 0 0 1rem; font-size: 2rem }
h2 { margin: 3rem 0 .5rem; font-size: 1.5rem; text-transform: capitalize }
h3 { margin: 0; font-size: 1.05rem }
h4 { margin: 1.25rem 0 .25rem; font-size: .875rem; color: var(--soft) }
p { margin: .5rem 0; max-width: 46rem }
article { margin: 1.5rem 0; padding: 1.25rem; border: 1px solid var(--line); border-radius: 8px; scroll-margin-top: 1rem }
.route { display: flex; gap: .75rem; align-items: baseline; margin: .25rem 0; font: 600 .9rem ui-monospace, monospace; overflow-wrap: anywhere }
.method { flex: none; padding: .05rem .5rem; border: 1px solid currentColor; border-radius: 4px; color: var(--accent) }
.open { color: var(--soft); font-weight: 400 }
code { padding: .1em .3em; background: var(--code); border-radius: 3px; font: .875em ui-monospace, monospace; overflow-wrap: anywhere }
pre { margin: .25rem 0; padding: .75rem 1rem; background: var(--code); border-radius: 6px; overflow: auto; font: .8rem/1.5 ui-monospace, monospace }
pre code { padding: 0; background: none; font: inherit }
table { width: 100%; border-collapse: collapse; font-size: .875rem }
th, td { padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); text-align: left; vertical-align: top }
th { color: var(--soft); font-weight: 500; border-top: 0 }
td:first-child { width: 14rem }
details { margin: .25rem 0 } summary { cursor: pointer; color: var(--soft) }
ul { margin: .25rem 0; padding-left: 1.25rem }
.required { color: var(--accent) }
@media (max-width: 50rem) { body { display: block } nav { position: static; height: auto; border: 0 } main { padding: 1rem } }
`;
