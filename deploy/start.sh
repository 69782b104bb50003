#!/bin/sh
# A password that comes as a file (Docker secret) becomes the variable that Colmeia reads.
set -eu
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
  POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD
fi
exec node /app/node_modules/colmeia/dist/interfaces/cli/colmeia.js serve --no-example "$@"
