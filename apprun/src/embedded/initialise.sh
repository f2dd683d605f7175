# Makes a PostgreSQL data directory with one database and one login, both named apprun,
# and the role that the API takes on behalf of a tenant.
# $1: directory of the programs. Standard input: the password. Standard output: the data directory,
# opened (see cluster.rs).
set -eu
exec 7<&1 1>&2
dir=/proc/self/fd/7
read -r password

"$1/initdb" --pgdata="$dir" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
  --no-instructions >/dev/null
# The superuser has no way in: nothing here needs one.
echo 'local apprun apprun scram-sha-256' >"$dir/pg_hba.conf"
"$1/postgres" --single -D "$dir" -c log_checkpoints=off -c exit_on_error=on postgres >/dev/null <<EOF
CREATE ROLE apprun LOGIN PASSWORD '$password'
CREATE DATABASE apprun OWNER apprun
CREATE ROLE apprun_api NOLOGIN NOINHERIT
GRANT apprun_api TO apprun
EOF
